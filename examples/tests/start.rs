//! What all programs do first.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

/// A program that leaves it out panics when its reader has gone.
#[test]
fn every_program_begins_with_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let programs = manifest["example"].as_array().unwrap();
    assert!(programs.len() > 5, "{}", programs.len());
    for program in programs {
        let path = program["path"].as_str().unwrap();
        // What shows a crate is read, and not piped into `head`; a server goes on when a reader has gone.
        if ["crates/", "../docs/", "studio/"]
            .iter()
            .any(|folder| path.starts_with(folder))
        {
            continue;
        }
        let path = folder.join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, main) = text.split_once("fn main() -> ExitCode {").unwrap();
        let first = main.trim_start().lines().next().unwrap();
        assert_eq!(first, "examples::start();", "{}", path.display());
    }
}

#[cfg(unix)]
mod closed_pipe {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    const CHILD: &str = "EXAMPLES_TEST_PRINTS_WITHOUT_END";

    /// This test's own program is run again as the one that prints: whether the examples have been built is not known
    /// here.
    #[test]
    fn ends_a_program_without_a_word() {
        if std::env::var_os(CHILD).is_some() {
            examples::start();
            // More than any pipe holds.
            for line in 0..1_000_000 {
                println!("{line}");
            }
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "closed_pipe::ends_a_program_without_a_word",
                "--nocapture",
            ])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        // The harness may have begun the first line.
        while line.trim() != "5" {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "it printed nothing"
            );
        }
        drop(output);
        let ended = child.wait_with_output().unwrap();
        const SIGPIPE: i32 = 13;
        assert_eq!(ended.status.signal(), Some(SIGPIPE));
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    }
}
