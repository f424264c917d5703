//! All named edits of a zoo on held-out images: pictures, numbers, and the text that shows them.

mod ends;
mod page;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use ganspace::{Edit, EditBook, NamedEdit};
use image_tensor::{RgbImage, from_signed_unit};
use model_zoo::{Card, Zoo};
use serde::{Deserialize, Serialize};
use stylegan2::RandomState;

pub use ends::EndEffect;

use super::{Bases, LONGEST_LABEL, RegionColor, in_strengths, range_strengths, write_sheet};
use crate::files::{self, Names, ShownPath};
use crate::images::{Target, files_in};
use crate::invert::Settings;
use crate::latents::{FoundLatent, LatentSettings, LatentSource, without_offsets};
use crate::model_image::ModelImage;
use crate::{BASE, Context, Error, Model, Observer, Weights, feature_offset, rendering};
use ends::Ends;

/// Where the gallery is, and how edits are shown and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A Markdown file, which need not be there; pictures lie in `images/gallery` beside it.
    pub file: PathBuf,
    /// Held-out images of each model that are shown.
    pub images: u16,
    /// Held-out images of each model that are measured: those that follow the ones that are shown, or these where there
    /// are no more.
    pub measured: u16,
    /// Samples that say how much an attribute varies: seeds from `seed` on.
    pub trials: u16,
    /// Random directions to compare with.
    pub random: u16,
    /// Truncation of the samples.
    pub truncation_psi: f32,
    /// How images are inverted.
    pub inversion: Settings,
    /// Seed of everything random.
    pub seed: u32,
}

impl Default for Options {
    fn default() -> Self {
        let usual = super::Options::default();
        Self {
            file: PathBuf::from("gallery.md"),
            images: 2,
            measured: 5,
            trials: usual.trials,
            random: usual.random,
            truncation_psi: usual.truncation_psi,
            inversion: usual.inversion,
            seed: usual.seed,
        }
    }
}

impl Options {
    /// Whether the values can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Error> {
        self.inversion.validate()?;
        for (option, value, least) in [
            ("images", self.images, 1),
            ("trials", self.trials, 2),
            ("random", self.random, 1),
        ] {
            if value < least {
                return Err(Error::option(
                    option,
                    value,
                    format!("expected at least {least}"),
                ));
            }
        }
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Model by model.
    pub edits: Vec<ShownEdit>,
}

/// An edit as the gallery shows it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ShownEdit {
    /// Its model.
    pub model: String,
    /// Its name.
    pub edit: String,
    /// What it does, in words.
    pub description: String,
    /// Counted from 0; of a mixture the one with the largest weight.
    pub component: usize,
    /// Whether it moves along a mixture of components.
    pub is_mixture: bool,
    /// What the components are of.
    pub space: String,
    /// The layers that move.
    pub layers: String,
    /// The first strength and the last, in standard deviations.
    pub range: [f64; 2],
    /// What of the picture is measured.
    pub attribute: Option<String>,
    /// The held-out images that the picture shows.
    pub images: Vec<ShownPath>,
    /// Those that the numbers are of: others, where there are any.
    pub measured: Vec<ShownPath>,
    /// A row for each image: the image, then the edit from one end of the range to the other.
    pub picture: ShownPath,
    /// Means over the measured images.
    pub effect: EndEffect,
    /// The same for steps of the same length in random directions; changes without their signs.
    pub random: EndEffect,
    /// Whose art the model was trained on.
    pub credit: String,
}

impl ShownEdit {
    /// How many times as far the attribute moves as in random directions, where both move the picture equally far:
    /// LPIPS grows with the square of a small step. None without an attribute.
    pub fn times_random(&self) -> Option<f64> {
        let far = |effect: &EndEffect| Some(effect.change?.abs() / effect.lpips.sqrt());
        let ratio = far(&self.effect)? / far(&self.random)?;
        ratio.is_finite().then_some(ratio)
    }
}

/// Writes a strip of every named edit of the zoo's models on held-out images, and what it moves, into the file, between
/// its marks for edits. What stands around the marks stays.
///
/// # Errors
///
/// No model has named edits, a model has no held-out images, an attribute cannot be measured, or a file cannot be read
/// or written; [`Error::Cancelled`] when the observer ends the job.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let file = options.file.as_path();
    let weights = &context.weights()?;
    let zoo = Zoo::open_without(weights.zoo(), &[BASE])?;
    let network = options.inversion.lpips;
    let metric = context.lpips(network)?;
    let settings = LatentSettings {
        truncation_psi: options.truncation_psi,
        class: None,
        inversion: &options.inversion,
        seed: options.seed,
        context,
        metric: &metric,
    };
    let beside = file.parent().unwrap_or(Path::new(""));
    let gallery = Gallery {
        options,
        settings: &settings,
        pictures: beside.join("images").join("gallery"),
    };
    files::make_folder(&gallery.pictures)?;
    let mut edits = Vec::new();
    for model in zoo.models() {
        let book = model.folder().join("edits.toml");
        if book.is_file() {
            let book = EditBook::load(book)?;
            edits.extend(gallery.show(model.card(), &book, weights, observer)?);
        }
    }
    if edits.is_empty() {
        return Err(Error::File {
            path: zoo.root().to_owned(),
            problem: "no model has named edits; save some".to_owned(),
        });
    }
    let before = match file.exists() {
        true => files::read_text(file)?,
        false => page::EMPTY.to_owned(),
    };
    let section = page::section(&edits, file, &network.to_string());
    let text = page::replace_section(&before, &section).map_err(|problem| Error::File {
        path: file.to_owned(),
        problem,
    })?;
    files::write(file, text.as_bytes())?;
    Ok(Outcome { edits })
}

struct Gallery<'a> {
    options: &'a Options,
    settings: &'a LatentSettings<'a>,
    pictures: PathBuf,
}

impl Gallery<'_> {
    /// All edits of a model.
    fn show(
        &self,
        card: &Card,
        book: &EditBook,
        weights: &Weights,
        observer: &mut dyn Observer,
    ) -> Result<Vec<ShownEdit>, Error> {
        let device = self.settings.context.device();
        let model = Model {
            name: card.name.clone(),
            path: weights.generator(&card.name),
            generator: stylegan2::Generator::load(weights.generator(&card.name), device)?,
        };
        let images = self.held_out(&model, weights)?;
        let in_picture = usize::from(self.options.images).min(images.len());
        // Others than those shown, so that whoever chooses edits by the pictures does not choose the numbers.
        let others = match images.len() - in_picture {
            0 => 0..in_picture,
            _ => in_picture..images.len(),
        };
        let sources: Vec<LatentSource> = images.iter().cloned().map(LatentSource::Image).collect();
        let latents = self.settings.load(&sources, &model, observer)?;
        let spread = self.sample_images(&model, observer)?;
        let mut bases = Bases::new(&model, None, device);
        let mut names = Names::default();
        let mut shown = Vec::new();
        for (name, named) in book.iter() {
            let directions = bases.directions(&named.basis, observer)?;
            let edit = named.edit(name, &model.name, &directions)?;
            let attribute = RegionColor::of_edit(name, named)?;
            let ends = Ends {
                model: &model,
                metric: self.settings.metric,
                device,
                range: named.range,
                attribute,
                scale: attribute.map(|color| spread_of(&color, &spread)),
            };
            let tried = &latents[others.clone()];
            let effect = self.mean(&ends, std::slice::from_ref(&edit), tried, observer)?;
            // The same directions for every image and edit of one length.
            let mut normals = RandomState::new(self.options.seed);
            let random: Vec<Edit> = (0..self.options.random)
                .map(|_| edit.in_random_direction(|| normals.standard_normal()))
                .collect();
            let random = self.mean(&ends, &random, tried, observer)?;
            let plain: String = name
                .chars()
                .take(LONGEST_LABEL)
                .map(|c| if c.is_alphanumeric() { c } else { '-' })
                .collect();
            let picture = files::file(
                &self.pictures,
                &names.unique(&format!("{}-{plain}", model.name)),
                "png",
            );
            let rows = images[..in_picture]
                .iter()
                .zip(&latents)
                .map(|(image, latent)| {
                    // Pages show pictures over white, as they show the images themselves.
                    let row = self.row(&model, image, latent, &edit, named)?;
                    Ok(row.into_iter().map(ModelImage::Rgb).collect())
                })
                .collect::<Result<Vec<_>, Error>>()?;
            write_sheet(&picture, &rows, &model)?;
            shown.push(ShownEdit {
                model: model.name.clone(),
                edit: name.to_owned(),
                description: named.description.clone(),
                component: named.component,
                is_mixture: !named.mixture.is_empty(),
                space: named.basis.space.clone(),
                layers: named.layers.to_string(),
                range: named.range,
                attribute: attribute.map(|color| color.to_string()),
                images: paths(&images[..in_picture]),
                measured: paths(&images[others.clone()]),
                picture: ShownPath(picture),
                effect,
                random,
                credit: credit(card),
            });
        }
        Ok(shown)
    }

    /// Held-out images of the model's kind: the first to show, the next to measure.
    fn held_out(&self, model: &Model, weights: &Weights) -> Result<Vec<PathBuf>, Error> {
        let folder = weights.queries().join(&model.name);
        let count = usize::from(self.options.images) + usize::from(self.options.measured);
        let images: Vec<PathBuf> = files_in(&folder)
            .into_iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "png"))
            .take(count)
            .collect();
        match images.is_empty() {
            false => Ok(images),
            true => Err(Error::File {
                path: folder,
                problem: "no PNG file there; a gallery shows edits on held-out images".to_owned(),
            }),
        }
    }

    /// Unedited images, by which a change of an attribute is large or small.
    fn sample_images(
        &self,
        model: &Model,
        observer: &mut dyn Observer,
    ) -> Result<Vec<RgbImage>, Error> {
        let first = self.options.seed;
        let seeds: Vec<LatentSource> = (0..u32::from(self.options.trials))
            .map(|index| LatentSource::Seed(first.wrapping_add(index)))
            .collect();
        let latents = without_offsets(self.settings.load(&seeds, model, observer)?);
        Ok(from_signed_unit(rendering::render(
            model,
            &latents,
            self.settings.context.device(),
        )?))
    }

    /// Mean over edits and latents.
    fn mean(
        &self,
        ends: &Ends<'_>,
        edits: &[Edit],
        latents: &[FoundLatent],
        observer: &mut dyn Observer,
    ) -> Result<EndEffect, Error> {
        let mut found = Vec::new();
        for latent in latents {
            observer.go_on()?;
            found.extend(ends.measure(latent, edits)?);
        }
        Ok(EndEffect::mean(&found, edits.len() > 1))
    }

    fn row(
        &self,
        model: &Model,
        image: &Path,
        latent: &FoundLatent,
        edit: &Edit,
        named: &NamedEdit,
    ) -> Result<Vec<RgbImage>, Error> {
        let edited = in_strengths(edit, &latent.w_plus, &range_strengths(named))?;
        let query = Target::load(image, model.resolution())?.pixels;
        let device = self.settings.context.device();
        let offset = feature_offset::batch(&[latent.offset.as_ref()], device)?;
        let edited = rendering::render_with(model, &edited, offset.as_ref(), device)?;
        let edited = from_signed_unit(edited);
        Ok([query].into_iter().chain(edited).collect())
    }
}

fn paths(images: &[PathBuf]) -> Vec<ShownPath> {
    images.iter().cloned().map(ShownPath).collect()
}

/// Standard deviation of an attribute over images.
fn spread_of(color: &RegionColor, images: &[RgbImage]) -> f64 {
    let values: Vec<f64> = images.iter().map(|image| color.of(image)).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0)).sqrt()
}

fn credit(card: &Card) -> String {
    let art = |key: &str| card.further.get("art")?.get(key)?.as_str();
    match (art("title"), art("artist"), art("source")) {
        (Some(title), Some(artist), Some(source)) => {
            format!("[{title}]({source}) by {artist} ({})", card.license)
        }
        _ => format!("({})", card.license),
    }
}
