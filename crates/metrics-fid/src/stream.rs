//! Images of any number through a feature network, a batch at a time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use backbones::FeatureExtractor;
use burn::tensor::{Device, Tensor};
use feature_stats::Moments;
use image_source::{BadImages, ImageSource, SourceImage};
use image_tensor::{DecodeLimits, RgbImage};
use serde::{Deserialize, Serialize};

use crate::{FeatureSet, ImageFeatures, Keep, MetricsError};

/// Moments of the features of batches of images `[batch, 1 or 3, height, width]` in [-1, 1], such as a generator makes
/// them, on the network's device.
///
/// The images are rounded to 8 bits first (see [`ImageFeatures::of_tensor`]). `progress` hears how many images are done
/// after each batch, and may stop.
///
/// # Errors
/// When an image or a feature is not finite or `progress` stops.
///
/// # Panics
/// When a batch is empty or its images have other than 1 or 3 channels.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use std::ops::ControlFlow;
///
/// use backbones::{EfficientNetLite0, FeatureExtractor};
/// use burn::tensor::{Device, Tensor};
/// use metrics_fid::feature_moments;
///
/// let device = Device::flex();
/// let extractor = FeatureExtractor::new(EfficientNetLite0::init(&device));
/// let batches = (0..2).map(|_| Tensor::<4>::zeros([3, 3, 32, 32], &device));
/// let moments = feature_moments(&extractor, batches, |_| ControlFlow::Continue(()))?;
/// assert_eq!((moments.count(), moments.dimension()), (6, 1280));
/// # }
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn feature_moments(
    extractor: &FeatureExtractor,
    batches: impl IntoIterator<Item = Tensor<4>>,
    progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Moments, MetricsError> {
    let features = ImageFeatures::from(extractor.clone());
    let set = generated_features(&features, batches, Keep::Moments, progress)?;
    Ok(set.moments().clone())
}

/// Features of batches of images `[batch, 1 or 3, height, width]` in [-1, 1], as [`feature_moments`] takes them, under
/// any protocol.
///
/// # Errors
/// As [`feature_moments`].
///
/// # Panics
/// As [`feature_moments`].
pub fn generated_features(
    features: &ImageFeatures,
    batches: impl IntoIterator<Item = Tensor<4>>,
    keep: Keep,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<FeatureSet, MetricsError> {
    let mut set = FeatureSet::new(features.dimension(), keep);
    for batch in batches {
        check_finite(&batch, set.count())?;
        set.add_rows(features.of_tensor(batch).view())?;
        report(&mut progress, set.count())?;
    }
    Ok(set)
}

/// Refuses images with a value that is NaN or infinite, of which rounding to 8 bits would make black or white. `before`
/// images came before these.
fn check_finite(images: &Tensor<4>, before: u64) -> Result<(), MetricsError> {
    let [_, channels, height, width] = images.dims();
    let values = images.clone().into_data();
    let mut values = values.iter::<f32>();
    match values.position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(position) => Err(MetricsError::NonFiniteImage {
            image: before + (position / (channels * height * width).max(1)) as u64,
        }),
    }
}

fn report(
    progress: &mut impl FnMut(u64) -> ControlFlow<()>,
    images: u64,
) -> Result<(), MetricsError> {
    match progress(images) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MetricsError::Cancelled { images }),
    }
}

/// How images of files are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamOptions {
    /// Images that pass the network at once.
    pub batch_size: usize,
    /// What happens with a damaged file; what is skipped is recorded in [`StoredImages::skipped`].
    pub bad_images: BadImages,
    /// Whether an image of another size than the first is a bad one. All protocols take any size, but in a set of
    /// generated images, or of faces that were cut alike, another size is a mistake.
    pub one_size: bool,
    /// What is kept of the features.
    pub keep: Keep,
    /// What one image may cost.
    pub limits: DecodeLimits,
}

impl Default for StreamOptions {
    /// 16 images at once, no bad image accepted, any sizes, features kept.
    fn default() -> Self {
        Self {
            batch_size: 16,
            bad_images: BadImages::Refuse,
            one_size: false,
            keep: Keep::Features,
            limits: DecodeLimits::default(),
        }
    }
}

/// The features of a folder's or archive's images, with what was seen on the way.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoredImages {
    /// The features, in the order of the names.
    pub set: FeatureSet,
    /// Images that were left out, each with the reason, which names it.
    pub skipped: Vec<MetricsError>,
    /// How many images of each `[width, height]` were used.
    pub sizes: BTreeMap<[u32; 2], u64>,
}

/// Features of the images of a folder or archive. `device` is the network's.
///
/// `progress` hears after each batch how many images have been read, bad ones included, and may stop.
///
/// # Errors
/// When the folder or archive cannot be read, no image is left, an image is bad and [`BadImages::Refuse`] holds, or
/// `progress` stops.
///
/// # Panics
/// When the batch size is 0.
pub fn stored_features(
    features: &ImageFeatures,
    source: &ImageSource,
    options: &StreamOptions,
    device: &Device,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<StoredImages, MetricsError> {
    assert!(options.batch_size > 0, "a batch needs at least one image");
    let mut stored = StoredImages {
        set: FeatureSet::new(features.dimension(), options.keep),
        skipped: Vec::new(),
        sizes: BTreeMap::new(),
    };
    let mut first_size = None;
    let mut batch: Vec<RgbImage> = Vec::new();
    for image in source.images(&options.limits) {
        let image = image.map_err(MetricsError::from);
        match image.and_then(|image| accept(image, options, &mut first_size)) {
            Ok(image) => {
                *stored.sizes.entry(size_of(&image)).or_default() += 1;
                batch.push(image);
            }
            Err(reason) if options.bad_images == BadImages::Skip => stored.skipped.push(reason),
            Err(reason) => return Err(reason),
        }
        if batch.len() == options.batch_size {
            stored
                .set
                .add_rows(features.of_images(&batch, device).view())?;
            batch.clear();
            report(
                &mut progress,
                stored.set.count() + stored.skipped.len() as u64,
            )?;
        }
    }
    if !batch.is_empty() {
        stored
            .set
            .add_rows(features.of_images(&batch, device).view())?;
    }
    if stored.set.count() == 0 {
        // Of images that were all bad, the first says more than their number.
        return Err(match stored.skipped.into_iter().next() {
            Some(reason) => reason,
            None => source.empty().into(),
        });
    }
    report(
        &mut progress,
        stored.set.count() + stored.skipped.len() as u64,
    )?;
    Ok(stored)
}

fn size_of(image: &RgbImage) -> [u32; 2] {
    [image.width(), image.height()]
}

fn accept(
    image: SourceImage,
    options: &StreamOptions,
    first_size: &mut Option<[u32; 2]>,
) -> Result<RgbImage, MetricsError> {
    let found = size_of(&image.pixels);
    let expected = *first_size.get_or_insert(found);
    if options.one_size && found != expected {
        return Err(MetricsError::OddSize {
            name: image.name,
            found,
            expected,
        });
    }
    Ok(image.pixels)
}
