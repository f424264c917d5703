//! Options as a command line gives them.

use clap::{Args, Command, FromArgMatches};

use super::Options;

/// Of these arguments, without the program's name.
pub fn written(args: &[&str]) -> Result<Options, clap::Error> {
    let command = Options::augment_args(Command::new("train"));
    let matches = command
        .mut_args(|arg| {
            let takes_values = arg.get_action().takes_values();
            arg.allow_negative_numbers(takes_values)
        })
        .try_get_matches_from(["train"].iter().chain(args))?;
    Options::from_arg_matches(&matches)
}
