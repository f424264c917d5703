//! Kills programs, damages their files and fills their disk for as long as it is told, and reports what was lost.
//!
//! `cargo build --release --examples && cargo run --release --example torture -- --minutes 10`

mod damage;
mod faults;
mod jobs;
mod place;
mod random;
mod verdict;
mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use examples::{Failure, table};
use faults::Kind;
use place::Place;
use random::Random;
use verdict::Verdict;

/// Kill programs, damage their files and fill their disk, and report what was lost
///
/// In turns drawn from the seed, a program that writes state is killed in the middle and run again, gets a damaged
/// file, or runs where no file may grow beyond a size; before its first turn it runs undisturbed. Whatever the programs
/// leave must be whole, must go on to the result of the undisturbed run, and errors must name their file. The exit code
/// is 1 where something was lost.
#[derive(Parser, Debug)]
#[command(name = "torture")]
struct Args {
    /// How long
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Start of all random choices
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of the programs [default: the one that this program is in]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Folder of the weights
    #[arg(long, value_name = "DIR", default_value = "weights")]
    weights: PathBuf,
    /// Programs to torture [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave the work folder, to look at what went wrong
    #[arg(long)]
    keep: bool,
}

/// A program may take this many times as long as undisturbed before it counts as hanging, and at least
/// `LEAST_PATIENCE`.
const PATIENCE: u32 = 20;
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Args>()))
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    if !cfg!(unix) {
        return Err("torture needs signals and limits of a Unix system".into());
    }
    let programs = match &args.programs {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?
            .parent()
            .map(PathBuf::from)
            .ok_or("this program is in no folder; name that of the others with --programs")?,
    };
    let end = Instant::now() + Duration::from_secs_f64(60.0 * args.minutes.clamp(0.0, 1e6));
    let place = Place::new(&programs, &args.weights)?;
    let mut jobs = Vec::new();
    for job in jobs::all() {
        if !args.only.is_empty() && !args.only.iter().any(|name| name == job.program) {
            continue;
        }
        if !place.has(job.program) {
            return Err(format!(
                "{}: there is no program {}; run `cargo build --release --examples` first, or name its folder with --programs",
                programs.display(),
                job.program
            )
            .into());
        }
        jobs.push(job);
    }
    if jobs.is_empty() {
        return Err("no program of --only is one that this tortures".into());
    }
    let mut random = Random::new(args.seed);
    let mut counts: BTreeMap<(&str, Kind), Counts> = BTreeMap::new();
    let mut losses = Vec::new();
    let mut turn = 0;
    let mut pairs = Vec::new();
    while turn == 0 || Instant::now() < end {
        // Every pair of a program and a fault comes up before one is repeated.
        if pairs.is_empty() {
            pairs = all_pairs(jobs.len(), &mut random);
        }
        let Some((index, kind)) = pairs.pop() else {
            break;
        };
        turn += 1;
        if jobs[index].takes.is_zero() {
            eprintln!("{}: undisturbed", jobs[index].program);
            jobs[index] = place.undisturbed(jobs[index].clone())?;
        }
        let job = &jobs[index];
        let Some(verdict) = faults::inflict(kind, job, &place, &mut random)? else {
            continue;
        };
        let count = counts.entry((job.program, kind)).or_default();
        count.tried += 1;
        match verdict {
            Verdict::Sound => {}
            Verdict::Refused => count.refused += 1,
            Verdict::Lost(reason) => {
                count.lost += 1;
                eprintln!("{}, {kind}: {reason}", job.program);
                losses.push(reason);
            }
        }
    }
    print(&counts);
    if args.keep {
        println!("left in {}", place.keep().display());
    }
    println!(
        "{} tries with seed {}, {} with a loss",
        counts.values().map(|count| count.tried).sum::<usize>(),
        args.seed,
        losses.len()
    );
    Ok(if losses.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[derive(Default)]
struct Counts {
    tried: usize,
    /// With an error that names the file.
    refused: usize,
    lost: usize,
}

/// Every job with every fault, shuffled: a short time reaches other pairs with another seed.
fn all_pairs(jobs: usize, random: &mut Random) -> Vec<(usize, Kind)> {
    let mut pairs: Vec<(usize, Kind)> = (0..jobs)
        .flat_map(|job| Kind::ALL.map(|kind| (job, kind)))
        .collect();
    for last in (1..pairs.len()).rev() {
        pairs.swap(last, random.below(last + 1));
    }
    pairs
}

fn print(counts: &BTreeMap<(&str, Kind), Counts>) {
    let rows: Vec<Vec<String>> = counts
        .iter()
        .map(|((job, kind), count)| {
            vec![
                (*job).to_owned(),
                kind.to_string(),
                count.tried.to_string(),
                count.refused.to_string(),
                count.lost.to_string(),
            ]
        })
        .collect();
    table::print(&["job", "fault", "tried", "refused", "lost"], &rows);
}
