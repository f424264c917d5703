//! `place get` and `place put`; see the library.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use place::{Copied, Place, Shard, get, put};

/// Copy models and parts of work between folders and object stores
///
/// Credentials and endpoints come from environment variables, such as AWS_ACCESS_KEY_ID, AWS_ENDPOINT,
/// GOOGLE_SERVICE_ACCOUNT and AZURE_STORAGE_ACCOUNT_NAME. Hidden files, links, and files that somebody writes are left
/// out.
#[derive(Parser, Debug)]
#[command(name = "place", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Fetch what lies below a place and the folder lacks
    Get {
        /// Folder or URL
        from: String,
        /// Folder
        to: PathBuf,
        /// Fetch only what lies below the I-th of N equal parts of the names, such as those of models
        #[arg(long, value_name = "I/N")]
        shard: Option<Shard>,
    },
    /// Store the files of a folder that a place lacks
    Put {
        /// Folder
        from: PathBuf,
        /// Folder or URL
        to: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(Copied {
            copied,
            there,
            bytes,
        }) => {
            // Nobody has to read it.
            let _ = writeln!(
                std::io::stdout(),
                "{copied} copied, {bytes} bytes; {there} were there"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("place: {}", printable(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Names and answers come from a store, and must not reach a terminal as its commands.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\'' | '\\' => c.to_string(),
            _ => c.escape_debug().to_string(),
        })
        .collect()
}

fn run(command: Command) -> Result<Copied, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let place = |text: &str| {
        let options = std::env::vars_os();
        let as_text = options.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Place::parse(text, as_text)
    };
    Ok(match command {
        Command::Get { from, to, shard } => get(&place(&from)?, &to, shard, &runtime)?,
        Command::Put { from, to } => put(&from, &place(&to)?, &runtime)?,
    })
}
