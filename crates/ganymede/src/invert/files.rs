//! What an inversion leaves in its folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use checkpoint_file::{FloatPrecision, StoredTensor, save_safetensors};
use image_tensor::{
    FrameTiming, Rgb, RgbImage, absolute_difference, encode_gif, magnify, strip, write_png,
};
use inversion::{Inversion, LossTerms, Refinement};
use serde::{Deserialize, Serialize};
use stylegan2::{FileOffset, Generator};

use super::Found;
use super::loss_plot::loss_plot;
use crate::files::{self, ShownPath};
use crate::images::{Target, image_of, to_targets};
use crate::{Error, Model};

/// Files of one inverted image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InversionFiles {
    /// Target, reconstruction and their difference, side by side.
    pub figure: ShownPath,
    /// The reconstruction alone, in the model's resolution.
    pub reconstruction: ShownPath,
    /// LPIPS and MSE at every step.
    pub loss_plot: ShownPath,
    /// Best and last latents.
    pub latents: ShownPath,
    /// Latents and offset of features in 16 bits, where they were refined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refined: Option<ShownPath>,
    /// The course of the optimization, where it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation: Option<ShownPath>,
}

/// Figures of small models are enlarged to about this side.
const FIGURE_SIDE: u32 = 256;
const PADDING: u32 = 4;
const WHITE: Rgb<u8> = Rgb([255; 3]);
const TIMING: FrameTiming = FrameTiming {
    frame: Duration::from_millis(80),
    last: Duration::from_secs(2),
};

/// Writes figure, reconstruction, loss plot and latents, and the animation where there are frames, all named after
/// `name`.
pub(crate) fn write(
    folder: &Path,
    name: &str,
    model: &Model,
    target: &Target,
    found: &Found,
    frames: &[RgbImage],
) -> Result<InversionFiles, Error> {
    let inversion = &found.inversion;
    let reconstruction = image_of(&found.reached.image);
    let factor = (FIGURE_SIDE / model.resolution()).max(1);
    let target_pixels = shown_target(target, &model.generator, &found.reached.image.device());
    let panels = [
        target_pixels.clone(),
        reconstruction.clone(),
        absolute_difference(&target_pixels, &reconstruction),
    ]
    .map(|panel| magnify(&panel, factor));
    let file = |kind| ShownPath(files::file(folder, name, kind));
    let files = InversionFiles {
        figure: file("png"),
        reconstruction: file("reconstruction.png"),
        loss_plot: file("loss.svg"),
        latents: file("latents.safetensors"),
        refined: found
            .refinement
            .as_ref()
            .map(|_| file("refined.safetensors")),
        animation: (!frames.is_empty()).then(|| file("gif")),
    };
    write_png(&files.figure, &strip(&panels, PADDING, WHITE))?;
    write_png(&files.reconstruction, &reconstruction)?;
    let title = format!("{} into {}", target.stem, model.name);
    let refined = found.refinement.iter().flat_map(|refined| &refined.curve);
    let curve: Vec<LossTerms> = inversion.curve.iter().chain(refined).copied().collect();
    let plot = loss_plot(&title, &curve)?;
    files::write(files.loss_plot.as_ref(), plot.as_bytes())?;
    write_latents(files.latents.as_ref(), model, target, inversion)?;
    if let (Some(path), Some(refined)) = (&files.refined, &found.refinement) {
        write_refined(path.as_ref(), model, target, found, refined)?;
    }
    if let Some(path) = &files.animation {
        let mut frames: Vec<RgbImage> = frames
            .iter()
            .map(|frame| beside(&target_pixels, frame, factor))
            .collect();
        frames.push(beside(&target_pixels, &reconstruction, factor));
        files::write(path.as_ref(), &encode_gif(&frames, TIMING)?)?;
    }
    Ok(files)
}

fn beside(target: &RgbImage, frame: &RgbImage, factor: u32) -> RgbImage {
    let panels = [target, frame].map(|panel| magnify(panel, factor));
    strip(&panels, PADDING, WHITE)
}

/// The target as the model sees it: gray for a gray model.
fn shown_target(target: &Target, generator: &Generator, device: &Device) -> RgbImage {
    let images = std::slice::from_ref(&target.pixels);
    image_of(&to_targets(images, generator, device))
}

/// Best and last latents, and optimized noise images under their names in the generator.
fn write_latents(
    path: &Path,
    model: &Model,
    target: &Target,
    inversion: &Inversion,
) -> Result<(), Error> {
    let mut tensors = BTreeMap::new();
    let mut add = |name: String, shape: Vec<usize>, values: Vec<f32>| {
        tensors.insert(name, StoredTensor::from_f32(shape, &values));
    };
    for (name, solution) in [
        ("w_plus", &inversion.best),
        ("w_plus_last", &inversion.last),
    ] {
        add(
            name.into(),
            solution.w_plus.dims().to_vec(),
            values(&solution.w_plus),
        );
    }
    let layers = model.generator.synthesis.noise_images();
    for ((layer, _), image) in layers.iter().zip(&inversion.best.noise_images) {
        let [_, _, height, width] = image.dims();
        add(
            format!("synthesis.{layer}"),
            vec![height, width],
            values(image),
        );
    }
    let metadata = about(model, target);
    let precision = FloatPrecision::F32;
    Ok(save_safetensors(path, &tensors, &metadata, precision)?)
}

/// Latents with the offset of the features that they make, as `edit` and `interpolate` take them.
fn write_refined(
    path: &Path,
    model: &Model,
    target: &Target,
    found: &Found,
    refined: &Refinement,
) -> Result<(), Error> {
    let w_plus = &found.inversion.best.w_plus;
    let offset = &refined.offset;
    let stored = |shape: Vec<usize>, values: &[f32]| StoredTensor::from_f32(shape, values);
    let tensors = BTreeMap::from([
        (
            "w_plus".to_owned(),
            stored(w_plus.dims().to_vec(), &values(w_plus)),
        ),
        (
            FileOffset::tensor_name(offset.resolution),
            stored(offset.values.dims().to_vec(), &values(&offset.values)),
        ),
    ]);
    let metadata = about(model, target);
    let precision = FloatPrecision::F16;
    Ok(save_safetensors(path, &tensors, &metadata, precision)?)
}

/// What a file of latents says of them.
fn about(model: &Model, target: &Target) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("model".to_owned(), model.name.clone()),
        ("image".to_owned(), target.path.display().to_string()),
    ])
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above")
}
