//! The images of a path, with the perceptual distance of each from the next.

use burn::tensor::{Device, Tensor};
use ganspace::{Path, Smoothness, smoothness};
use lpips::Lpips;
use serde::{Deserialize, Serialize};

use crate::feature_offset::{self, Offset, OffsetPath};
use crate::model_image::ModelImage;
use crate::{Error, Model, Observer, Phase, Preview, rendering};

/// What is rendered: latents on their way, and the offsets of features that go with them.
#[derive(Clone, Debug)]
pub struct Way {
    /// Through the latents.
    pub path: Path,
    /// Through their offsets, where one of them has one.
    pub offsets: Option<OffsetPath>,
}

impl From<Path> for Way {
    fn from(path: Path) -> Self {
        Self {
            path,
            offsets: None,
        }
    }
}

/// A rendered path.
#[derive(Clone, Debug)]
pub struct MeasuredPath {
    /// Shares of the path, one for each image.
    pub times: Vec<f64>,
    /// Fewer than times when the observer ended the work.
    pub images: Vec<ModelImage>,
    /// LPIPS of each image from the next; in a loop also of the last from the first.
    pub distances: Vec<f64>,
}

impl MeasuredPath {
    /// Renders the path at `times`, `batch` images at a time, until the observer ends it. The observer sees each image
    /// as `MODEL-frame-NNNNN`.
    ///
    /// # Errors
    ///
    /// The images are too small for the metric's network.
    pub fn render(
        model: &Model,
        way: &Way,
        times: Vec<f64>,
        metric: &Lpips,
        batch: usize,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let what = format!("frames of {}", model.name);
        observer.begin(&Phase::new(&what, times.len()));
        let mut images = Vec::with_capacity(times.len());
        let mut distances = Vec::with_capacity(times.len());
        let mut ends: Option<(Tensor<4>, Tensor<4>)> = None;
        for times in times.chunks(batch) {
            if observer.cancelled() {
                break;
            }
            let latents: Vec<_> = times.iter().map(|t| way.path.at(*t)).collect();
            let offsets: Vec<Option<Offset>> = times
                .iter()
                .map(|time| way.offsets.as_ref().map(|path| path.at(*time)))
                .collect();
            let offsets: Vec<Option<&Offset>> = offsets.iter().map(Option::as_ref).collect();
            let offsets = feature_offset::batch(&offsets, device)?;
            let rendered = rendering::render_with(model, &latents, offsets.as_ref(), device)?;
            let count = times.len();
            // Distances are of the images themselves: those of 8-bit pixels would be mostly rounding where frames are
            // many.
            let (first, before) = match ends {
                Some((first, last)) => (first, Tensor::cat(vec![last, rendered.clone()], 0)),
                None => (rendered.clone().narrow(0, 0, 1), rendered.clone()),
            };
            let pairs = before.dims()[0] - 1;
            if pairs > 0 {
                distances.extend(rendering::distances(
                    metric,
                    before.clone().narrow(0, 0, pairs),
                    before.narrow(0, 1, pairs),
                )?);
            }
            ends = Some((first, rendered.clone().narrow(0, count - 1, 1)));
            for image in ModelImage::from_signed_unit(rendered) {
                let name = format!("{}-frame-{:05}", model.name, images.len());
                observer.preview(&Preview::new(&name, &image.opaque()));
                images.push(image);
            }
            observer.position(images.len() as u64);
        }
        observer.end();
        if let Some((first, last)) = ends
            && way.path.is_closed()
            && images.len() == times.len()
        {
            distances.extend(rendering::distances(metric, last, first)?);
        }
        Ok(Self {
            times,
            images,
            distances,
        })
    }

    /// Of a whole path; none of one that was ended early.
    ///
    /// # Errors
    ///
    /// There are fewer than two images.
    pub fn smoothness(&self) -> Result<Option<Smoothness>, Error> {
        if self.images.len() < self.times.len() {
            return Ok(None);
        }
        Ok(Some(smoothness(&self.distances)?))
    }
}

/// Smoothness as results name it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmoothnessResult {
    /// As [`Smoothness`] has it.
    pub perceptual_path_length: f64,
    /// Mean LPIPS from an image to the next.
    pub mean_step: f64,
    /// Largest LPIPS from an image to the next.
    pub largest_step: f64,
    /// How many times the mean that is.
    pub largest_step_over_mean: f64,
}

impl From<Smoothness> for SmoothnessResult {
    fn from(found: Smoothness) -> Self {
        Self {
            perceptual_path_length: found.perceptual_path_length,
            mean_step: found.mean_step,
            largest_step: found.largest_step,
            largest_step_over_mean: found.largest_over_mean,
        }
    }
}

/// At most `wanted` of `count` positions, evenly spread, first and last included.
pub fn spread(count: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let shown = wanted.min(count);
    (0..shown).map(move |i| i * (count - 1) / (shown - 1).max(1))
}
