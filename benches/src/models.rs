use std::path::PathBuf;

use backbones::{FeatureExtractor, FeatureNetworkKind, Preprocessing, Sizing};
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::Checkpoint;
use stylegan2::{Generator, GeneratorConfig};

use crate::Error;

/// The repository's folder of weights.
pub fn weights_folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../weights"))
}

/// A generator of the official layout (w_dim 512, 8 mapping layers) with seeded initial weights; values do not change
/// the speed.
///
/// # Errors
/// When the resolution is no power of two from 4 to 1024.
pub fn official_generator(
    resolution: usize,
    channel_base: usize,
    device: &Device,
) -> Result<Generator, Error> {
    let config = GeneratorConfig::new(resolution).with_channel_base(channel_base);
    Ok(Generator::init(&config, 0, device)?)
}

/// A feature network that takes whole square images without a crop, so that images of its input size are not resized.
///
/// # Errors
/// When the weights do not fit.
pub fn feature_extractor(
    kind: FeatureNetworkKind,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<FeatureExtractor, Error> {
    let extractor = kind.load(checkpoint, device)?;
    let published = extractor.preprocessing();
    Ok(extractor.with_preprocessing(Preprocessing {
        sizing: Sizing::Square(published.crop),
        ..published
    }))
}

/// Smooth pictures, each another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetImages {
    /// Number of images.
    pub batch: usize,
    /// Side of the images.
    pub resolution: usize,
}

impl TargetImages {
    /// Images `[batch, 3, resolution, resolution]` in [-1, 1]: a wave of another direction and length in each channel.
    pub fn tensor(self, device: &Device) -> Tensor<4> {
        let Self { batch, resolution } = self;
        let mut values = Vec::with_capacity(batch * 3 * resolution * resolution);
        for wave in 0..batch * 3 {
            let waves_across = 1.0 + wave as f32 / 3.0;
            let (sin, cos) = (wave as f32).sin_cos();
            for y in 0..resolution {
                for x in 0..resolution {
                    let along = (x as f32 * cos + y as f32 * sin) / resolution as f32;
                    values.push((std::f32::consts::TAU * waves_across * along).sin());
                }
            }
        }
        Tensor::from_data(
            TensorData::new(values, [batch, 3, resolution, resolution]),
            device,
        )
    }
}
