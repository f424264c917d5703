//! Edit images of a StyleGAN2 model along the principal directions of its latents.
//!
//! `cargo run --release --example edit` shows what a component of a model of this repository does; `--discover` shows all.

mod attribute;
mod attribute_file;
mod gallery;
mod options;
mod plan;
mod ranking;
mod region;
mod results;
mod strip;
#[cfg(test)]
mod tests;
mod trials;

use ganymede::class;
use ganymede::files;
use std::process::ExitCode;

use image_tensor::{Rgb, RgbImage, grid, magnify, write_png};
use lpips::{Lpips, Version};

use examples::bases::Bases;
use examples::interrupt::{Interrupt, Interrupted};
use examples::latents::{LatentSettings, LatentSource};
use examples::{Failure, INTERRUPTED, output};
use ganymede::Model;
use ganymede::files::ShownPath;
use options::Options;
use plan::Plan;
use ranking::{Candidates, Job};
use results::{EditResult, Results};
use strip::Strips;

/// Pictures of small models are enlarged to about this side.
const SHOWN_SIDE: u32 = 128;
/// Characters of the edits' names that a file's name has room for.
const LONGEST_LABEL: usize = 60;
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

fn main() -> ExitCode {
    examples::start();
    match run(&examples::parse::<Options>()) {
        Err(failure) if failure.is::<Interrupted>() => {
            eprintln!("{failure}");
            ExitCode::from(INTERRUPTED)
        }
        result => examples::exit(result.map(|()| ExitCode::SUCCESS)),
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let context = options.common.context()?;
    let (device, weights) = (context.device().clone(), context.weights()?);
    if let Some(file) = &options.gallery {
        return gallery::write(options, file, &weights, &device, &Interrupt::listen()?);
    }
    let model = context.model(&options.model)?;
    let num_ws = model.generator.synthesis.num_ws();
    options.layers.rows(num_ws)?;
    let class = class::check(options.class, &model)?;
    let network = options.inversion.lpips.network();
    let metric = Lpips::load(network, Version::V0_1, weights.features(), &device)?;
    let interrupt = Interrupt::listen()?;
    files::make_folder(&options.out)?;
    let settings = LatentSettings {
        truncation_psi: options.truncation_psi,
        class,
        inversion: &options.inversion,
        seed: options.common.seed,
        device_choice: options.common.device,
        device: &device,
        metric: &metric,
        interrupt: &interrupt,
    };
    let mut bases = Bases::new(&model, class, &device, &interrupt);
    let job = Job {
        options,
        model: &model,
        settings: &settings,
        weights: &weights,
    };
    let sources = options.bad_images.expand(options.sources())?;
    let mut results = Results::new(&model, options, &network.to_string());

    let attribute = options.attribute();
    let ranks_all = options.discover
        || attribute.is_some() && options.direction.is_none() && options.edit.is_empty();
    if ranks_all {
        // Only the first latent is shown.
        let shown = settings.load(&sources[..1], &model)?.remove(0);
        let basis = options.basis(model.generator.mapping.w_dim());
        plan::warn_of_few_samples(&basis);
        let directions = bases.directions(&basis)?;
        let order = match attribute {
            Some(source) => job.rank(source, Candidates::All(&directions), &mut results)?,
            None => job.list(&directions, &mut results)?,
        };
        let rows = job.show(&directions, &order, &shown)?;
        let (kind, which) = if options.discover {
            ("components", "all")
        } else {
            ("ranking", "the best")
        };
        let file = files::file(&options.out, &format!("{}-{kind}", model.name), "png");
        write_sheet(&file, &rows, &model)?;
        println!(
            "{}: {which} {} components of {} on {}, a row for each",
            file.display(),
            order.len(),
            basis.space,
            sources[0]
        );
        results.sheet = Some(ShownPath(file));
        results.basis = Some(basis);
    } else {
        let plan = Plan::new(options, &model, &mut bases)?;
        let latents = settings.load(&sources, &model)?;
        match (attribute, &plan.axis) {
            (Some(source), Some(axis)) => {
                job.rank(source, Candidates::One(axis), &mut results)?;
            }
            (Some(source), None) => {
                return Err(format!(
                    "{source}: it is measured for an edit that changes from picture to picture; write --edit NAME without a strength"
                )
                .into());
            }
            (None, _) => {}
        }
        let strips = Strips {
            model: &model,
            metric: &metric,
            batch: usize::from(options.inversion.batch),
            device: &device,
            interrupt: &interrupt,
            random: usize::from(options.random),
            seed: options.common.seed,
        };
        let rows = strips.render(&plan, &latents)?;
        let label = strip_label(&plan);
        let file = files::file(&options.out, &format!("{}-{label}", model.name), "png");
        let pictures: Vec<Vec<RgbImage>> = rows
            .iter()
            .map(|row| row.iter().map(|edited| edited.image.clone()).collect())
            .collect();
        write_sheet(&file, &pictures, &model)?;
        results.edits = edit_results(&plan, &sources, &rows, &file);
        results.basis = plan.axis.as_ref().map(|axis| axis.basis.clone());
        results::print_strips(&rows);
        println!("{}: a row for each latent", file.display());
        results.sheet = Some(ShownPath(file));
        if let (Some(name), Some(axis)) = (&options.save, &plan.axis) {
            let saved = plan::save(name, axis, options, &model)?;
            println!("saved as {name:?} in {}", saved.display());
        }
    }
    if let Some(json) = &options.common.json {
        output::write_json(json, &results)?;
    }
    Ok(())
}

/// Rows of pictures of one length as a PNG.
fn write_sheet(
    file: &std::path::Path,
    rows: &[Vec<RgbImage>],
    model: &Model,
) -> Result<(), Failure> {
    let columns = rows.first().map_or(1, Vec::len);
    let factor = (SHOWN_SIDE / model.resolution()).max(1);
    let pictures: Vec<RgbImage> = rows.iter().flatten().map(|i| magnify(i, factor)).collect();
    Ok(write_png(file, &grid(&pictures, columns, PADDING, WHITE))?)
}

/// Part of a file's name.
fn strip_label(plan: &Plan) -> String {
    let fixed = plan.fixed.iter().map(|fixed| fixed.name.as_str());
    let axis = plan.axis.iter().map(|axis| axis.label.as_str());
    let names: Vec<&str> = axis.chain(fixed).collect();
    let allowed = |c: char| if c.is_alphanumeric() { c } else { '-' };
    names
        .join("-")
        .chars()
        .take(LONGEST_LABEL)
        .map(allowed)
        .collect()
}

fn edit_results(
    plan: &Plan,
    sources: &[LatentSource],
    rows: &[Vec<strip::Edited>],
    file: &std::path::Path,
) -> Vec<EditResult> {
    let mut results = Vec::new();
    for (row, (source, pictures)) in sources.iter().zip(rows).enumerate() {
        for (column, edited) in pictures.iter().enumerate() {
            results.push(EditResult {
                latent: source.to_string(),
                edit: plan.axis.as_ref().map(|axis| axis.label.clone()),
                component: plan.axis.as_ref().map(|axis| axis.component),
                layers: plan.axis.as_ref().map(|axis| axis.layers.to_string()),
                strength: edited.strength,
                fixed: plan
                    .fixed
                    .iter()
                    .map(|fixed| (fixed.name.clone(), fixed.strength))
                    .collect(),
                lpips: edited.lpips,
                random_lpips: edited.random_lpips,
                file: ShownPath(file.to_owned()),
                row,
                column,
            });
        }
    }
    results
}
