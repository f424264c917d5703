//! Edits images along the principal directions of a model's latents, and finds out which direction does what.

mod attribute;
mod attribute_file;
mod bases;
pub mod gallery;
mod mixtures;
mod options;
mod outcome;
mod plan;
mod proposals;
mod ranking;
mod region;
mod strip;
#[cfg(test)]
mod tests;
mod trials;

use std::path::Path;

pub use bases::{Bases, Space};
pub use options::{AttributeSource, EditRequest, Options};
pub use outcome::{ComponentResult, EditResult, Mixture, Outcome, Proposal, RankingResult};
pub use plan::range_strengths;
pub use region::{Channel, Region, RegionColor};
pub use strip::in_strengths;

use crate::files::{self, ShownPath};
use crate::images::bad_images;
use crate::latents::{LatentSettings, LatentSource, expand};
use crate::model_image::{self, ModelImage};
use crate::{Context, Error, Model, Observer, class};
use plan::Plan;
use ranking::{Candidates, Job};
use strip::{Edited, Strips};

/// Pictures of small models are enlarged to about this side.
const SHOWN_SIDE: u32 = 128;
/// Characters of the edits' names that a file's name has room for.
const LONGEST_LABEL: usize = 60;
const PADDING: u32 = 2;

/// Shows an edit in several strengths on each latent, or with `discover` or an attribute alone what each component does
/// to the first latent.
///
/// Every picture of a strip comes with its LPIPS from the unedited one, beside that of steps of the same length in
/// random directions. The observer sees each picture as `latent-ROW-COLUMN` or `component-K-COLUMN`. All pictures are
/// written as one PNG.
///
/// ```
/// use ganymede::edit;
/// use ganymede::latents::LatentSource;
/// use ganymede::{Context, Device};
///
/// let options = edit::Options {
///     latent: vec![LatentSource::Seed(5)],
///     samples: Some(300),
///     strength: vec![0.0, 2.0],
///     random: 2,
///     ..edit::Options::default()
/// };
/// let outcome = edit::run(&options, &Context::new(Device::flex()), &mut ())?;
/// let [before, after] = &outcome.edits[..] else { panic!("two strengths") };
/// assert!(before.lpips < 1e-6 && after.lpips > 1e-3);
/// # Ok::<(), ganymede::Error>(())
/// ```
///
/// # Errors
///
/// The model, a latent or a named edit cannot be loaded, an option does not fit the model, or a file cannot be written;
/// [`Error::Cancelled`] when the observer ends the job, as half of a comparison says nothing.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let model = context.model(&options.model)?;
    let num_ws = model.generator.synthesis.num_ws();
    options.layers.rows(num_ws)?;
    let class = class::check(options.class, &model)?;
    let network = options.inversion.lpips;
    let metric = context.lpips(network)?;
    if let Some(out) = &options.out {
        files::make_folder(out)?;
    }
    let settings = LatentSettings {
        truncation_psi: options.truncation_psi,
        class,
        inversion: &options.inversion,
        seed: options.seed,
        context,
        metric: &metric,
    };
    let job = Job {
        options,
        model: &model,
        settings: &settings,
        context,
    };
    let sources = expand(options.sources(), bad_images(options.skip_bad), observer)?;
    let mut outcome = Outcome::new(&model, options, &network.to_string());
    outcome.latents = sources.iter().map(LatentSource::to_string).collect();
    match options.ranks_all() {
        true => show_components(&job, &sources, &mut outcome, observer)?,
        false => show_edits(&job, &sources, &mut outcome, observer)?,
    }
    Ok(outcome)
}

/// Lists or ranks all components, and shows them on the first latent.
fn show_components(
    job: &Job<'_>,
    sources: &[LatentSource],
    outcome: &mut Outcome,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let (options, model) = (job.options, job.model);
    // Only the first latent is shown.
    let shown = job.settings.load(&sources[..1], model, observer)?.remove(0);
    let basis = options.basis(model.generator.mapping.w_dim());
    plan::warn_of_few_samples(&basis, observer);
    let mut bases = Bases::new(model, job.settings.class, job.context.device());
    let directions = bases.directions(&basis, observer)?;
    let order = match options.attribute() {
        Some(source) => job.rank(source, Candidates::All(&directions), outcome, observer)?,
        None => job.list(&directions, outcome, observer)?,
    };
    let rows = job.show(&directions, &order, &shown, observer)?;
    if let Some(out) = &options.out {
        let kind = match options.discover {
            true => "components",
            false => "ranking",
        };
        let file = files::file(out, &format!("{}-{kind}", model.name), "png");
        write_sheet(&file, &rows, model)?;
        outcome.sheet = Some(ShownPath(file));
    }
    outcome.shown = order;
    outcome.basis = Some(basis);
    Ok(())
}

/// Shows the edits that were asked for on each latent.
fn show_edits(
    job: &Job<'_>,
    sources: &[LatentSource],
    outcome: &mut Outcome,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    let (options, model, settings) = (job.options, job.model, job.settings);
    let mut bases = Bases::new(model, settings.class, job.context.device());
    let mixture = match options.attribute() {
        Some(AttributeSource::Region(color)) if options.mixture => {
            let basis = options.basis(model.generator.mapping.w_dim());
            let directions = bases.directions(&basis, observer)?;
            Some(job.mixture(color, &directions, observer)?)
        }
        _ => None,
    };
    let plan = Plan::new(options, model, mixture, &mut bases, observer)?;
    let latents = settings.load(sources, model, observer)?;
    match (options.attribute(), &plan.axis) {
        (Some(source), Some(axis)) => {
            job.rank(source, Candidates::One(axis), outcome, observer)?;
        }
        (Some(source), None) => {
            return Err(source.refused(
                "it is measured for an edit that changes from picture to picture; write the edit's name without a strength",
            ));
        }
        (None, _) => {}
    }
    let strips = Strips {
        model,
        metric: settings.metric,
        batch: usize::from(options.inversion.batch),
        device: job.context.device(),
        random: usize::from(options.random),
        seed: options.seed,
    };
    let rows = strips.render(&plan, &latents, observer)?;
    if let Some(out) = &options.out {
        let label = strip_label(&plan);
        let file = files::file(out, &format!("{}-{label}", model.name), "png");
        let pictures: Vec<Vec<ModelImage>> = rows
            .iter()
            .map(|row| row.iter().map(|edited| edited.image.clone()).collect())
            .collect();
        write_sheet(&file, &pictures, model)?;
        outcome.sheet = Some(ShownPath(file));
    }
    outcome.edits = edit_results(&plan, sources, &rows, outcome.sheet.as_ref());
    outcome.basis = plan.axis.as_ref().map(|axis| axis.basis.clone());
    if let (Some(name), Some(axis)) = (&options.save, &plan.axis) {
        outcome.saved = Some(plan::save(name, axis, options, model)?);
    }
    Ok(())
}

/// Rows of pictures of one length as a PNG; those of small models are enlarged.
///
/// # Errors
///
/// The file cannot be written.
fn write_sheet(file: &Path, rows: &[Vec<ModelImage>], model: &Model) -> Result<(), Error> {
    let columns = rows.first().map_or(1, Vec::len);
    let factor = (SHOWN_SIDE / model.resolution()).max(1);
    let magnified = rows.iter().flatten().map(|image| image.magnified(factor));
    model_image::sheet(&magnified.collect::<Vec<_>>(), columns, PADDING).write(file)
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
    rows: &[Vec<Edited>],
    file: Option<&ShownPath>,
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
                file: file.cloned(),
                row,
                column,
            });
        }
    }
    results
}
