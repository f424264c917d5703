//! Trains a StyleGAN2, from scratch or from given weights, on a folder of images, a packed file, or a style of the zoo.

#[cfg(test)]
mod tests;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{FromArgMatches, Parser};
use ganymede::{Observer, train};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, output};

/// Trains a StyleGAN2 on a folder of images, a packed file, or a style of the zoo.
///
/// Without arguments it trains one style of the zoo for a few kimg, to show what it writes. Ctrl-C stops after the
/// iteration and saves; --resume continues exactly where a run was, with the options it was started with. Of these,
/// --learning-rate, --gamma, --r2-gamma, --relativistic, --flatness-weight, --path-length-weight, --style-mixing,
/// --average-kimg, --slow-average-kimg, --shared-images, --anneal, --augment, --vision-aided-balance and
/// --vision-aided-augment can be given anew.
#[derive(Debug, Parser)]
#[command(name = "train")]
struct Args {
    #[command(flatten)]
    options: train::Options,
    #[command(flatten)]
    common: CommonArgs,
}

impl Args {
    /// Reads arguments, the program's name first.
    fn parse_from_args<A: Into<OsString> + Clone>(
        args: impl IntoIterator<Item = A>,
    ) -> Result<Self, clap::Error> {
        let mut matches = examples::command::<Self>().try_get_matches_from(args)?;
        let seed_is_written = matches.value_source("seed") == Some(ValueSource::CommandLine);
        let mut args = Self::from_arg_matches_mut(&mut matches)?;
        // A run's record has what was written.
        args.options.seed = seed_is_written.then_some(args.common.seed);
        Ok(args)
    }
}

fn main() -> ExitCode {
    examples::start();
    let args = Args::parse_from_args(env::args_os()).unwrap_or_else(|error| error.exit());
    examples::exit(Terminal::listen().and_then(|mut terminal| run(&args, &mut terminal)))
}

fn run(args: &Args, observer: &mut dyn Observer) -> Result<ExitCode, Failure> {
    let context = args.common.context()?;
    if args.options.whole_zoo() {
        let outcome = train::zoo(&args.options, &context, observer)?;
        match outcome.cancelled {
            true => println!("stopped; the same command goes on"),
            false => println!("every style has had its {} kimg", outcome.kimg),
        }
        if let Some(path) = &args.common.json {
            output::write_json(path, &outcome)?;
        }
        return Ok(examples::exit_code(outcome.cancelled));
    }
    let outcome = train::run(&args.options, &context, observer)?;
    if let Some(path) = &args.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(!outcome.finished))
}
