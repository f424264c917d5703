use ganymede::files;
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;

use crate::independent::Independent;
use crate::options::Options;
use crate::plan::{self, Source, Target};
use crate::report;
use examples::Failure;
use examples::INTERRUPTED;
use examples::transfer::job::Job;
use ganymede::Weights;

/// Does the runs of this shard that are not done, and reports on all that there are.
pub fn run(options: &Options, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let device = options.common.device.open()?;
    let weights = Weights::open(options.common.weights.as_deref())?;
    let features = options.transfer.protocol.load(
        options.transfer.features.as_deref(),
        options.common.weights.as_deref(),
        &device,
    )?;
    let independent = options.independent_protocol.load(
        options.independent_features.as_deref(),
        options.common.weights.as_deref(),
        &device,
    )?;
    files::make_folder(&options.out)?;
    let targets = plan::targets(options, &weights, &device)?;
    let sources: Vec<Vec<Source>> = targets
        .iter()
        .map(|target| plan::sources(options, target))
        .collect();
    // One seed of everything before the next, so that a study that is cut short says something about all targets.
    let mut runs = Vec::new();
    for seed in seeds(options) {
        for (target, sources) in targets.iter().zip(&sources) {
            runs.extend(sources.iter().map(|source| (target, source, seed)));
        }
    }
    let mine: Vec<_> = runs
        .iter()
        .enumerate()
        .filter(|(index, _)| options.shard.has(*index))
        .map(|(_, run)| *run)
        .collect();
    let runner = Runner {
        options,
        weights: &weights,
        features: &features,
        independent: &independent,
        device: &device,
    };
    let mut finished = true;
    for (index, (target, source, seed)) in mine.iter().enumerate() {
        let name = format!(
            "{} of {}: {}, {}, seed {seed}",
            index + 1,
            mine.len(),
            target.name,
            source.title()
        );
        eprintln!("{name}");
        if interrupted() || !runner.run(name, target, source, *seed, interrupted)? {
            finished = false;
            break;
        }
    }
    let distances = [features.distance_name(), independent.distance_name()];
    let seconds = started.elapsed().as_secs_f64();
    report::write(options, &targets, &sources, &distances, seconds)?;
    if finished {
        Ok(ExitCode::SUCCESS)
    } else {
        println!("stopped; the same command goes on");
        Ok(ExitCode::from(INTERRUPTED))
    }
}

pub fn seeds(options: &Options) -> std::ops::Range<u32> {
    options.common.seed..options.common.seed.saturating_add(options.seeds)
}

/// What all runs share.
struct Runner<'a> {
    options: &'a Options,
    weights: &'a Weights,
    features: &'a ImageFeatures,
    independent: &'a ImageFeatures,
    device: &'a Device,
}

impl Runner<'_> {
    /// Does a run, or what is left of it, and measures it with the other network; `false` when interrupted.
    fn run(
        &self,
        name: String,
        target: &Target,
        source: &Source,
        seed: u32,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool, Failure> {
        let transfer = &self.options.transfer;
        let generator = source
            .ranked
            .generator(self.options.models.as_deref(), self.weights);
        let folder = source.folder(target, seed);
        let job = Job {
            name,
            source: generator.clone(),
            discriminator: None,
            images: target.images.clone(),
            reference: target.reference.clone(),
            out: folder.clone(),
            statistics: target.folder.join("statistics"),
            kimg: vec![self.options.kimg],
            settings: transfer.settings(seed, source.plain),
            options: transfer,
            weights: Some(self.weights),
            features: self.features,
        };
        let outcome = job.run(interrupted, self.device)?;
        if !outcome.is_some_and(|outcome| outcome.finished) {
            return Ok(false);
        }
        Independent::measure(
            self.independent,
            transfer,
            target,
            &generator,
            &folder,
            interrupted,
            self.device,
        )
    }
}
