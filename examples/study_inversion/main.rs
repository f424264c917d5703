//! Reproduces the paper's inversion study: are images inverted better by the models that retrieval ranks higher?
//!
//! `cargo run --release --example study_inversion` does the whole protocol on the zoo; `docs/inversion_study.md` says how to spread it over machines.

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
mod plan;
mod report;
mod results;
mod statistics;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::Device;
use lpips::{Lpips, Network, Version};

use cache::Cache;
use examples::interrupt::Interrupt;
use examples::shard::Shard;
use examples::terminal::warn_of_outdated;
use examples::{Failure, INTERRUPTED, output};
use ganymede::invert::StartChoice;
use ganymede::search::Searcher;
use ganymede::{Error, Weights};
use inverting::Inverter;
use key::{Keys, Recipe};
use options::Options;
use plan::{Category, Extent, Plan, RankedImage, Work};
use report::Effort;
use results::Study;

fn main() -> ExitCode {
    examples::start();
    let options = examples::parse::<Options>();
    match Interrupt::listen().and_then(|interrupt| run(&options, &interrupt)) {
        Err(failure) if matches!(failure.downcast_ref(), Some(Error::Cancelled)) => {
            eprintln!(
                "interrupted; what was inverted is kept in {}, and the same command goes on from there",
                options.cache().display()
            );
            ExitCode::from(INTERRUPTED)
        }
        result => examples::exit(result.map(|()| ExitCode::SUCCESS)),
    }
}

fn run(options: &Options, interrupt: &Interrupt) -> Result<(), Failure> {
    let started = Instant::now();
    if options.inversion.refine || options.inversion.start == StartChoice::Regressed {
        return Err(
            "the study compares searches for latents from one start; leave out --refine and --start regressed, which study_refinement compares".into(),
        );
    }
    let device = options.common.device.open()?;
    let weights = Weights::open(options.common.weights.as_deref())?;
    let searcher = Searcher::open(
        options.models.as_deref(),
        options.features_file.as_deref(),
        &weights,
        &device,
    )?;
    warn_of_outdated(&searcher.outdated);
    let config = options.inversion.config(options.common.seed, &device);
    let recipe = Recipe {
        config: &config,
        loss: options.inversion.lpips.network(),
        batch: options.batch(),
        device: options.common.device,
    };
    let plan = plan(options, &recipe, &searcher, &weights, &device)?;
    let cache = Cache::open(options.cache())?;

    let part = plan.part(options.shard.unwrap_or(Shard::WHOLE), options.batch());
    let mut merged = 0;
    for folder in &options.merge {
        let keys = part.iter().map(|work| work.key.as_str());
        merged += cache.merge(folder, keys)?;
    }
    let needed = part.len();
    let missing: Vec<&Work> = part
        .into_iter()
        .filter(|work| cache.find(&work.key).is_none())
        .collect();
    eprintln!(
        "{needed} inversions, of which {} are in {}{}",
        needed - missing.len(),
        cache.folder().display(),
        match options.merge.len() {
            0 => String::new(),
            _ => format!(", {merged} of them merged"),
        }
    );

    let load = |network| Lpips::load(network, Version::V0_1, weights.features(), &device);
    let (alex, vgg) = (load(Network::AlexNet)?, load(Network::Vgg16)?);
    let loss = [&alex, &vgg]
        .into_iter()
        .find(|metric| metric.network() == recipe.loss)
        .ok_or("--lpips: expected alex or vgg")?;
    Inverter {
        plan: &plan,
        cache: &cache,
        zoo: &searcher.zoo,
        config: &config,
        batch: options.batch(),
        loss,
        alex: &alex,
        vgg: &vgg,
        device: &device,
        interrupt,
    }
    .invert(&missing)?;

    let effort = || Effort {
        needed,
        merged,
        made: missing.len(),
        seconds: started.elapsed().as_secs_f64(),
    };
    if let Some(shard) = options.shard {
        let effort = effort();
        println!(
            "part {shard}: {needed} inversions, {} of them made now, in {:.1} s; all are in {}",
            effort.made,
            effort.seconds,
            cache.folder().display()
        );
        if let Some(json) = &options.common.json {
            output::write_json(json, &effort)?;
        }
        return Ok(());
    }
    Study {
        options,
        plan: &plan,
        cache: &cache,
        zoo: &searcher.zoo,
        metric: loss,
        device: &device,
        interrupt,
    }
    .report(effort)
}

/// Reads and ranks the images, and lists what is to be inverted. Every part of a study makes the same plan.
fn plan(
    options: &Options,
    recipe: &Recipe<'_>,
    searcher: &Searcher,
    weights: &Weights,
    device: &Device,
) -> Result<Plan, Failure> {
    let sources = categories::sources(options, weights)?;
    let names: Vec<&str> = sources.iter().map(|s| s.category.as_str()).collect();
    let chosen = models::choose(options, &names, searcher, device)?;
    let ranks = options.ranks(chosen.models.len())?;
    let extent = Extent {
        interpolations: usize::from(options.interpolations),
        shown: usize::from(options.shown),
        seed: options.common.seed,
    };
    let mut categories = Vec::new();
    for (number, source) in (0..).zip(&sources) {
        let images = source
            .load(options.count as usize, chosen.side(), searcher)?
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
    let keys = Keys::new(recipe, &chosen.models, &weights.features())?;
    Ok(Plan::new(chosen.models, ranks, categories, keys, &extent))
}
