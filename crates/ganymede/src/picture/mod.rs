//! One picture of a model, described so that it can be kept, sent and made again: where its latent comes from, how it
//! is edited, with which noise.
//!
//! ```
//! use ganymede::picture::Picture;
//! use ganymede::{Context, Device};
//! # if ganymede::Weights::open(None).is_err() { return Ok(()) }
//!
//! let text = r#"{"model": "micah", "latent": {"seed": {"seed": 5, "truncation_psi": 0.7}},
//!     "edits": [{"component": 0, "layers": "0-3", "strength": 1.5}]}"#;
//! let picture: Picture = serde_json::from_str(text)?;
//! let image = picture.render(&Context::new(Device::flex()))?;
//! assert_eq!(image.dimensions(), (64, 64));
//! # Ok::<(), ganymede::Error>(())
//! ```

mod directions;
mod latent;
mod latents_text;
mod offset_text;

use std::path::PathBuf;
use std::sync::Arc;

use image_tensor::{RgbImage, from_signed_unit};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use stylegan2::NoiseMode;

pub use directions::{Change, Direction};
pub(crate) use latent::tensor;
pub use latent::{Course, CourseShape, Latent, OnCourse, Point, Refined, Seeded};
pub use latents_text::LatentsText;
pub use offset_text::OffsetText;

use crate::feature_offset::{self, Offset};
use crate::generate::LayerNoise;
use crate::rendering::synthesize;
use crate::{Context, Error, Model};

/// A picture's recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// A model of the zoo, or a generator file.
    pub model: String,
    /// A file of pivotal tuning that changes the model's weights, as [`invert`](crate::invert) writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<PathBuf>,
    /// The latent before it is edited.
    pub latent: Latent,
    /// What is changed of it.
    #[serde(default)]
    pub edits: Vec<Change>,
    /// The noise images.
    #[serde(default)]
    pub noise_mode: LayerNoise,
    /// Seed of random noise images.
    #[serde(default)]
    pub noise_seed: u32,
}

impl Picture {
    /// The model, tuned where the recipe says so.
    ///
    /// # Errors
    ///
    /// It cannot be loaded, or the file of tuning is of another model.
    pub fn load_model(&self, context: &Context) -> Result<Arc<Model>, Error> {
        match &self.tuned {
            Some(file) => context.tuned_model(&self.model, file),
            None => context.model(&self.model),
        }
    }

    /// The latents `[num_ws, w_dim]`, edited, of a model that has been loaded.
    ///
    /// # Errors
    ///
    /// The latent or an edit does not fit the model.
    pub fn w_plus(&self, model: &Model, context: &Context) -> Result<Array2<f32>, Error> {
        latent::edited(&self.latent, &self.edits, model, context)
    }

    /// What is added to the features that the latents make, where the recipe has such a latent.
    ///
    /// # Errors
    ///
    /// It does not fit the model.
    pub fn offset(&self, model: &Model) -> Result<Option<Offset>, Error> {
        latent::offset(&self.latent, model)
    }

    /// The picture; one with opacity over white.
    ///
    /// # Errors
    ///
    /// The model cannot be loaded, the latent or an edit does not fit it, or the image is not finite.
    pub fn render(&self, context: &Context) -> Result<RgbImage, Error> {
        let model = self.load_model(context)?;
        let w_plus = self.w_plus(&model, context)?;
        let offset = self.offset(&model)?;
        render(&w_plus, offset.as_ref(), &self.noise(), &model, context)
    }

    /// Pictures at these times of the recipe's course, 0 its start and 1 its end. `go_on` is asked before each; the
    /// pictures until then are returned.
    ///
    /// # Errors
    ///
    /// The recipe's latent is no course; as [`render`](Self::render).
    pub fn frames(
        &self,
        times: &[f64],
        context: &Context,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Result<Vec<RgbImage>, Error> {
        let Latent::Course(on_course) = &self.latent else {
            return Err(Error::option(
                "latent",
                "",
                "expected a course of at least two points",
            ));
        };
        let model = self.load_model(context)?;
        let path = on_course.course.path(&model, context)?;
        let offsets = on_course.course.offsets(&model)?;
        let mut frames = Vec::with_capacity(times.len());
        for time in times {
            if !go_on(frames.len()) {
                break;
            }
            let mut w_plus = path.at(*time);
            directions::apply(&self.edits, &mut w_plus, &model, context)?;
            let offset = offsets.as_ref().map(|path| path.at(*time));
            let noise = self.noise();
            frames.push(render(&w_plus, offset.as_ref(), &noise, &model, context)?);
        }
        Ok(frames)
    }

    pub(crate) fn noise(&self) -> NoiseMode {
        match self.noise_mode {
            LayerNoise::Constant => NoiseMode::Constant,
            LayerNoise::None => NoiseMode::None,
            LayerNoise::Random => {
                // The seed's own noise, as `generate` draws it.
                let low = match &self.latent {
                    Latent::Seed(seeded) => seeded.seed,
                    Latent::WPlus(_) | Latent::Refined(_) | Latent::Course(_) => 0,
                };
                NoiseMode::Random {
                    seed: (u64::from(self.noise_seed) << 32) | u64::from(low),
                }
            }
        }
    }
}

fn render(
    w_plus: &Array2<f32>,
    offset: Option<&Offset>,
    noise: &NoiseMode,
    model: &Model,
    context: &Context,
) -> Result<RgbImage, Error> {
    let w_plus = tensor(w_plus, context.device());
    let offset = feature_offset::batch(&[offset], context.device())?;
    let images = synthesize(&model.generator, w_plus.clone(), noise, offset.as_ref());
    model
        .generator
        .check_finite(&images, &w_plus, noise)
        .map_err(Error::of_model(&model.name))?;
    Ok(from_signed_unit(images).swap_remove(0))
}

#[cfg(test)]
mod tests;
