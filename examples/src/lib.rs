//! What the programs share on a terminal: options, tables, results as JSON, progress and interruption. The programs are
//! the package's examples.

pub mod interrupt;
pub mod output;
pub mod progress;
pub mod small_model;
pub mod table;
pub mod terminal;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, Parser};

use ganymede::device::DeviceChoice;
use ganymede::{Context, Error as JobError};

/// Any error of a program; what users see is its message.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Exit status of a program that was interrupted and has written what it had: 128 + SIGINT, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Options that all programs have.
#[derive(Args, Debug)]
pub struct CommonArgs {
    /// Where to compute; wgpu and cuda need a build with that feature
    #[arg(long, value_enum, default_value_t = DeviceChoice::Cpu)]
    pub device: DeviceChoice,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// Write machine-readable results to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Folder with zoo/, features/, queries/, studies/ and few_shot/ [default: $GANYMEDE_WEIGHTS, or what
    /// docs/weights.md says]
    #[arg(long, value_name = "DIR")]
    pub weights: Option<PathBuf>,
}

/// What programs have that load models.
#[derive(Args, Debug)]
pub struct TunedArgs {
    /// Change the model by a file of `invert --tune`
    #[arg(long, value_name = "FILE")]
    pub tuned: Option<PathBuf>,
}

impl TunedArgs {
    /// As [`CommonArgs::context`], with the model tuned.
    pub fn context(&self, common: &CommonArgs) -> Result<Context, Failure> {
        let context = common.context()?;
        Ok(match &self.tuned {
            Some(file) => context.with_tuned(file)?,
            None => context,
        })
    }
}

impl CommonArgs {
    /// What jobs share: the device, after a look whether there is one, and the weights.
    pub fn context(&self) -> Result<Context, Failure> {
        let context = Context::new(self.device.open()?);
        Ok(match &self.weights {
            Some(folder) => context.with_weights(folder),
            None => context,
        })
    }
}

/// The exit status of a program that has written what it had: of all, or until Ctrl-C.
pub fn exit_code(cancelled: bool) -> ExitCode {
    match cancelled {
        true => ExitCode::from(INTERRUPTED),
        false => ExitCode::SUCCESS,
    }
}

/// Prints an error with its causes and turns the result into an exit status.
pub fn exit(result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) if matches!(failure.downcast_ref(), Some(JobError::Cancelled)) => {
            eprintln!("{failure}");
            ExitCode::from(INTERRUPTED)
        }
        Err(failure) => {
            eprintln!("error: {}", message(&failure));
            let mut shown = failure.to_string();
            let mut cause = failure.source();
            while let Some(next) = cause {
                let message = next.to_string();
                // Messages that already hold their cause would say it twice.
                if !shown.contains(&message) {
                    eprintln!("  because: {message}");
                }
                shown = message;
                cause = next.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// An error in the words of a command line.
pub fn message(failure: &Failure) -> String {
    match failure.downcast_ref() {
        Some(JobError::Option { option, .. }) => {
            let text = failure.to_string();
            let rest = text.strip_prefix(option).unwrap_or(&text);
            format!("--{}{rest}", option.replace('_', "-"))
        }
        Some(JobError::NoIndex { zoo, source }) => format!(
            "{source}; the example `index` builds it: cargo run --release --example index -- build --zoo {}",
            zoo.display()
        ),
        Some(JobError::RunInUse { .. }) => format!("{failure} with --out"),
        Some(JobError::RunExists { folder }) => format!(
            "{} holds a run already; continue it with --resume, or choose another --out",
            folder.display()
        ),
        Some(JobError::RunDiffers { .. }) => format!("{failure} with --out"),
        Some(JobError::Ffmpeg(problem)) => format!("{problem}; leave the MP4 out with --no-mp4"),
        _ => failure.to_string(),
    }
}

/// A program's command line: negative numbers are values, so that `--learning-rate -1` is told its range, and
/// `--version` tells the version.
pub fn command<Options: CommandFactory>() -> Command {
    with_negative_numbers(Options::command().version(env!("CARGO_PKG_VERSION")))
}

fn with_negative_numbers(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let takes_values = arg.get_action().takes_values();
            arg.allow_negative_numbers(takes_values)
        })
        .mut_subcommands(with_negative_numbers)
}

/// A negative number with a sign in its exponent in a form that clap takes for a number: `-1e-3` as `-0.001`. Anything
/// else stays as it is.
fn plain_number(argument: OsString) -> OsString {
    let plain = |text: &str| {
        let number: f64 = text.parse().ok()?;
        let (digits, exponent) = text.split_once(['e', 'E'])?;
        let is_signed = digits.starts_with('-') && exponent.starts_with(['-', '+']);
        (is_signed && number.is_finite()).then(|| match exponent.strip_prefix('+') {
            Some(exponent) => format!("{digits}e{exponent}"),
            None => number.to_string(),
        })
    };
    let found = argument.to_str().and_then(plain);
    found.map_or(argument, OsString::from)
}

/// The options of this call; ends the program where they are not understood, or help or the version is asked for.
pub fn parse<Options: Parser>() -> Options {
    let mut matches = command::<Options>().get_matches_from(env::args_os().map(plain_number));
    Options::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

/// What every program does first: [`program_allocator::begin`] and [`end_on_closed_pipe`].
pub fn start() {
    program_allocator::begin();
    end_on_closed_pipe();
}

/// Ends the process quietly when the reader of its output has gone, as in `search | head -1`.
///
/// Rust's runtime ignores the signal SIGPIPE, so that `println!` fails instead and panics. This restores the system's
/// default, which other command-line programs have. Where there are no signals this does nothing.
pub fn end_on_closed_pipe() {
    #[cfg(unix)]
    // SAFETY: sets the default action, in which no code of ours runs; nothing else in the process has a handler for
    // this signal.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use ganymede::Error as JobError;

    use clap::Parser;

    use super::{command, message, plain_number};

    #[derive(Parser, Debug)]
    struct Program {
        #[arg(long)]
        rate: f64,
        #[arg(long)]
        flag: bool,
    }

    #[test]
    fn negative_numbers_are_values_and_there_is_a_version() {
        let parsed =
            |args: &[&str]| command::<Program>().try_get_matches_from(args.iter().copied());
        let matches = parsed(&["program", "--rate", "-0.001", "--flag"]).expect("a number");
        assert_eq!(matches.get_one("rate"), Some(&-1e-3));
        for (written, number) in [
            ("-1e-3", -1e-3),
            ("-2.5E+4", -2.5e4),
            ("-1e-300", -1e-300),
            ("-1e+300", -1e300),
        ] {
            let arguments = ["program", "--rate", written].map(|a| plain_number(a.into()));
            let matches = command::<Program>()
                .try_get_matches_from(arguments)
                .expect("a number");
            assert_eq!(matches.get_one("rate"), Some(&number), "{written}");
        }
        for kept in ["1e-3", "-e-3", "-1e999", "--e-3", "-1", "a-1e-3"] {
            assert_eq!(plain_number(kept.into()), kept);
        }
        assert!(parsed(&["program", "--rate", "--flag"]).is_err());
        let version = parsed(&["program", "--version"]).expect_err("no options");
        assert_eq!(version.kind(), clap::error::ErrorKind::DisplayVersion);
    }

    #[test]
    fn an_option_is_named_as_it_is_written() {
        let error = JobError::Option {
            option: "truncation_psi",
            found: "inf".to_owned(),
            problem: "not a number".to_owned(),
        };
        assert_eq!(message(&error.into()), "--truncation-psi inf: not a number");
    }
}
