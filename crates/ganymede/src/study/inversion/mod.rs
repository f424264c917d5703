//! Are images inverted better by the models that retrieval ranks higher?
//!
//! Each image of some categories ranks the same models by the density of its features, and is inverted with those at
//! some ranks. Every inversion is kept in a cache by its content, so that a study goes on where it was ended, and many
//! machines may do its parts.

mod cache;
mod categories;
mod claims;
mod edits;
mod interpolations;
mod inverting;
mod key;
mod metric;
mod models;
mod options;
mod part;
mod plan;
mod report;
mod results;

use std::collections::BTreeSet;

use burn::tensor::Device;
use lpips::LpipsNetwork;
use serde::Serialize;
use web_time::Instant;

pub use super::verdict::{Sign, Verdict};
pub use crate::statistics::{Estimate, Interval};
pub use claims::{Claim, Comparison};
pub use edits::Edited;
pub use interpolations::{Kind, Way};
pub use metric::Metric;
pub use options::Options;
pub use report::{CategoryReport, Effort, ImageReport, Line, MetricEstimate, Protocol, Report};

use crate::device::DeviceChoice;
use crate::files::ShownPath;
use crate::part_file;
use crate::search::Searcher;
use crate::shard::Shard;
use crate::{Context, Error, Milestone, Observer, Warning, Weights};
use cache::Cache;
use inverting::Inverter;
use key::{Keys, Recipe};
use plan::{Category, Extent, Plan, RankedImage, Work};
use results::Study;

/// What a call has come to.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// A part of the inversions is made and written.
    Part(WrittenPart),
    /// All are, and report.md and its figures are written.
    Whole(Box<Report>),
}

/// A part of the inversions in a file.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WrittenPart {
    /// Named after its content.
    pub part: ShownPath,
    /// How this call came by its inversions.
    #[serde(flatten)]
    pub effort: Effort,
}

/// Makes the inversions that the cache lacks. With a shard it writes them into one file.
///
/// Without one it then writes report.md (LPIPS, PSNR and the distance from the mean latent with standard errors, the
/// differences between ranks with bootstrap intervals, and which claims hold), and figures of inversions, edits and
/// interpolations.
///
/// # Errors
///
/// The zoo has no index, an option, a model or an image cannot be used, or a file cannot be read or written;
/// [`Error::Cancelled`] when the observer ends the job: what was inverted is kept, and the same options go on.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    options.validate()?;
    let device = context.device();
    let weights = context.weights()?;
    let searcher = Searcher::open(
        options.models.as_deref(),
        options.features_file.as_deref(),
        &weights,
        device,
    )?;
    if !searcher.outdated.is_harmless() {
        observer.warn(&Warning::IndexOutdated(searcher.outdated.clone()));
    }
    let config = options.inversion.config(options.seed, device);
    let recipe = Recipe {
        config: &config,
        loss: options.inversion.lpips,
        batch: options.batch(),
        device: DeviceChoice::of(device),
    };
    let plan = plan(options, &recipe, &searcher, &weights, device, observer)?;
    let cache = Cache::open(options.cache())?;

    let part = plan.part(options.shard.unwrap_or(Shard::WHOLE), options.batch());
    let mut merged = 0;
    let wanted: BTreeSet<&str> = part.iter().map(|work| work.key.as_str()).collect();
    for folder in options.merge.iter().filter(|path| !path.is_file()) {
        merged += cache.merge(folder, wanted.iter().copied(), observer)?;
    }
    for file in part_file::files_of(&options.merge)? {
        observer.go_on()?;
        merged += part::take(&file, &cache, &wanted, observer)?;
    }
    let needed = part.len();
    let mut missing: Vec<&Work> = Vec::new();
    for work in &part {
        if cache.find(&work.key, observer).is_none() {
            missing.push(*work);
        }
    }
    observer.milestone(&Milestone::Inversions {
        needed,
        kept: needed - missing.len(),
        cache: cache.folder().to_owned(),
        merged: (!options.merge.is_empty()).then_some(merged),
    });

    let (alex, vgg) = (
        context.lpips(LpipsNetwork::AlexNet)?,
        context.lpips(LpipsNetwork::Vgg16)?,
    );
    let loss = [&alex, &vgg]
        .into_iter()
        .find(|metric| metric.network() == recipe.loss)
        .ok_or_else(|| Error::option("lpips", recipe.loss, "expected alex or vgg"))?;
    Inverter {
        plan: &plan,
        cache: &cache,
        zoo: &searcher.zoo,
        config: &config,
        batch: options.batch(),
        loss,
        alex: &alex,
        vgg: &vgg,
        device,
    }
    .invert(&missing, observer)?;

    let effort = || Effort {
        needed,
        merged,
        made: missing.len(),
        seconds: started.elapsed().as_secs_f64(),
    };
    if options.shard.is_some() {
        return Ok(Outcome::Part(WrittenPart {
            part: part::write(&options.parts(), &plan, &cache, &part, observer)?,
            effort: effort(),
        }));
    }
    let study = Study {
        options,
        plan: &plan,
        cache: &cache,
        zoo: &searcher.zoo,
        metric: loss,
        device,
    };
    Ok(Outcome::Whole(Box::new(study.report(effort, observer)?)))
}

/// Reads and ranks the images, and lists what is to be inverted. Every part of a study makes the same plan.
fn plan(
    options: &Options,
    recipe: &Recipe<'_>,
    searcher: &Searcher,
    weights: &Weights,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Plan, Error> {
    let sources = categories::sources(options, weights)?;
    let names: Vec<&str> = sources.iter().map(|s| s.category.as_str()).collect();
    let chosen = models::choose(options, &names, searcher, device, observer)?;
    let ranks = options.ranks(chosen.models.len(), observer)?;
    let extent = Extent {
        interpolations: usize::from(options.interpolations),
        shown: usize::from(options.shown),
        seed: options.seed,
    };
    let mut categories = Vec::new();
    for (number, source) in (0..).zip(&sources) {
        let images = source
            .load(options.count as usize, chosen.side(), searcher, observer)?
            .into_iter()
            .map(|image| RankedImage::new(image, &chosen.models, searcher))
            .collect::<Result<_, _>>()?;
        categories.push(Category::new(
            source.category.clone(),
            images,
            number,
            &extent,
        ));
    }
    let keys = Keys::new(recipe, &chosen.models, weights)?;
    Ok(Plan::new(chosen.models, ranks, categories, keys, &extent))
}
