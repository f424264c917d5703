//! Which source converges faster when it is fine-tuned on few images: models at several ranks of retrieval, with the
//! same budget and seeds.
//!
//! For each target the zoo is ranked by the mean Gaussian density of the target's images, once, when its study begins.
//! Everything is kept in the folder of the study, which goes on where it was ended.

mod design;
mod findings;
mod interval;
mod options;
mod part;
mod plan;
mod report;
mod second;
mod summary;

use burn::tensor::Device;
use metrics_fid::ImageFeatures;
use web_time::Instant;

pub use interval::{Comparison, Intervals, KimgInterval};
pub use options::Options;
pub use report::{Outcome, RunReport, SecondMean, SourceReport, TargetReport};
pub use second::SecondDistance;
pub use summary::{Point, Summary};

use crate::files::ShownPath;
use crate::transfer::job::Job;
use crate::{Context, Error, Milestone, Observer, Weights, files};
use design::Design;
use findings::Folders;
use plan::{Source, Target};

/// Does the runs of this shard that are not done, and reports on all that there are: figure.svg (Fréchet distance
/// against kimg, mean and spread over the seeds), TARGET-samples.svg, study.md and study.json in the folder of the
/// study. Given parts it reports on their runs and runs nothing: the report equals that of one process, but for how
/// long anything took.
///
/// # Errors
///
/// A part cannot be read, or parts are of different studies or lack a run; there is no such target, the zoo has no
/// index, a run was begun with other options, or a file cannot be read or written; [`Error::Cancelled`] when the
/// observer ends the job before the first run begins.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    options.validate()?;
    if !options.merge.is_empty() {
        return part::merge(&options.merge, &options.out, observer);
    }
    let device = context.device();
    let weights = context.weights()?;
    let features = options.tuning.protocol.load(
        options.tuning.features.as_deref(),
        context.weights_folder(),
        device,
    )?;
    let second = options.second_protocol.load(
        options.second_features.as_deref(),
        context.weights_folder(),
        device,
    )?;
    files::make_folder(&options.out)?;
    let targets = plan::targets(options, &weights, device, observer)?;
    let sources: Vec<Vec<Source>> = targets
        .iter()
        .map(|target| plan::sources(options, target, observer))
        .collect();
    let distances = [features.distance_name(), second.distance_name()];
    let design = Design::new(options, &targets, &sources, distances);
    let mine: Vec<part::Run<'_>> = part::runs(&design)
        .enumerate()
        .filter(|(index, _)| options.shard.has(*index))
        .map(|(_, run)| run)
        .collect();
    let runner = Runner {
        options,
        weights: &weights,
        features: &features,
        second: &second,
        device,
    };
    let mut finished = true;
    for (index, (subject, source, seed)) in mine.iter().enumerate() {
        let Some(target) = targets.iter().find(|target| target.name == subject.name) else {
            continue;
        };
        let run = format!("{}, {}, seed {seed}", target.name, source.title());
        let (number, runs) = (index + 1, mine.len());
        let name = format!("{number} of {runs}: {run}");
        observer.milestone(&Milestone::Run { number, runs, run });
        if observer.cancelled() || !runner.run(name, target, source, *seed, observer)? {
            finished = false;
            break;
        }
    }
    let found = Folders {
        design: &design,
        out: options.out.clone(),
    };
    let part = match &options.parts {
        Some(folder) if finished => {
            let settings = options.settings(options.seed, false);
            Some(ShownPath(part::write(folder, &found, settings, &mine)?))
        }
        _ => None,
    };
    let seconds = started.elapsed().as_secs_f64();
    let outcome = report::write(&design, &found, &options.out, seconds)?;
    Ok(Outcome {
        part,
        cancelled: !finished,
        ..outcome
    })
}

/// What all runs share.
struct Runner<'a> {
    options: &'a Options,
    weights: &'a Weights,
    features: &'a ImageFeatures,
    second: &'a ImageFeatures,
    device: &'a Device,
}

impl Runner<'_> {
    /// Does a run, or what is left of it, and measures it with the other network; `false` when the observer ended it.
    fn run(
        &self,
        name: String,
        target: &Target,
        source: &Source,
        seed: u32,
        observer: &mut dyn Observer,
    ) -> Result<bool, Error> {
        let tuning = &self.options.tuning;
        let models = self.options.models.as_deref();
        let generator = source.ranked.generator(models, self.weights);
        let folder = source.folder(&target.folder, seed);
        let job = Job {
            name,
            source: generator.clone(),
            discriminator: None,
            images: target.images.clone(),
            reference: target.reference.clone(),
            out: folder.clone(),
            statistics: target.folder.join("statistics"),
            kimg: vec![self.options.kimg],
            settings: self.options.settings(seed, source.plain),
            options: tuning,
            weights: Some(self.weights),
            features: self.features,
        };
        let ended = job.run(observer, self.device).and_then(|ended| {
            if ended.finished {
                SecondDistance::measure(
                    self.second,
                    tuning,
                    target,
                    &generator,
                    &folder,
                    observer,
                    self.device,
                )?;
            }
            Ok(ended.finished)
        });
        match ended {
            Err(Error::Cancelled) => Ok(false),
            finished => finished,
        }
    }
}
