//! What an end says about a program.

use std::path::Path;

use crate::place::Ended;

/// What became of a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing was lost.
    Sound,
    /// An error, as it should be.
    Refused,
    /// With the reason.
    Lost(String),
}

/// Longest message that a user should have to read.
const LONGEST: usize = 6000;
/// The exit code of a panic.
const PANIC: i32 = 101;

/// Whether a program may end so: by itself, without a panic, with a message that can be shown and names one of `files`.
pub fn of_end(ended: Option<&Ended>, files: &[&Path]) -> Verdict {
    let Some(ended) = ended else {
        return Verdict::Lost("it hangs".to_owned());
    };
    let said = || {
        ended
            .stderr
            .escape_debug()
            .to_string()
            .chars()
            .take(300)
            .collect::<String>()
    };
    let Some(code) = ended.status.code() else {
        return Verdict::Lost(format!("a signal ended it: {}", ended.status));
    };
    if code == PANIC {
        return Verdict::Lost(format!("it panicked: {}", said()));
    }
    if ended.stderr.len() > LONGEST {
        return Verdict::Lost(format!(
            "a message of {} bytes: {}",
            ended.stderr.len(),
            said()
        ));
    }
    let raw = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if ended.stderr.contains(raw) {
        return Verdict::Lost(format!("control characters in its message: {}", said()));
    }
    if code == 0 {
        return Verdict::Sound;
    }
    let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let names = files.iter().filter_map(|path| name(path));
    if !files.is_empty() && !names.into_iter().any(|name| ended.stderr.contains(&name)) {
        return Verdict::Lost(format!("the error names no file: {}", said()));
    }
    Verdict::Refused
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn end(code: i32, stderr: &str) -> Verdict {
        let ended = Ended {
            status: ExitStatus::from_raw(code << 8),
            stderr: stderr.to_owned(),
        };
        of_end(Some(&ended), &[Path::new("x/a.png")])
    }

    #[test]
    fn only_clear_ends_pass() {
        assert_eq!(end(0, ""), Verdict::Sound);
        assert_eq!(end(1, "x/a.png: damaged"), Verdict::Refused);
        for (code, stderr) in [
            (1, "damaged"),
            (101, "x/a.png: panicked"),
            (1, "x/a.png: \u{1b}[2J"),
            (1, &"x/a.png ".repeat(1000)),
        ] {
            assert!(
                matches!(end(code, stderr), Verdict::Lost(_)),
                "{stderr:.40}"
            );
        }
        let killed = Ended {
            status: ExitStatus::from_raw(9),
            stderr: String::new(),
        };
        assert!(matches!(of_end(Some(&killed), &[]), Verdict::Lost(_)));
        assert!(matches!(of_end(None, &[]), Verdict::Lost(_)));
    }
}
