//! Networks of 16x16 and synthetic images, small enough to train in a test.

use std::sync::Arc;

use burn::tensor::Device;
use stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use vision_aided_finetune::{ImageSet, Trainer, TrainingConfig, TrainingError};

pub const SIDE: usize = 16;

/// Squares of one color on another, by the index.
pub fn images(count: usize) -> Arc<ImageSet> {
    let mut bytes = Vec::with_capacity(count * 3 * SIDE * SIDE);
    for index in 0..count {
        for channel in 0..3 {
            let (inside, outside) = ((index * 37 + channel * 91) % 256, (index * 11) % 256);
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let is_inside = (3..11).contains(&y) && (2 + index % 4..12).contains(&x);
                    bytes.push(if is_inside { inside } else { outside } as u8);
                }
            }
        }
    }
    Arc::new(ImageSet::from_bytes(SIDE, bytes))
}

fn generator_config() -> GeneratorConfig {
    GeneratorConfig::new(16)
        .with_z_dim(8)
        .with_w_dim(8)
        .with_mapping_layers(2)
        .with_channel_base(128)
        .with_channel_max(8)
}

pub fn generator(seed: u32, device: &Device) -> Generator {
    generator_of(3, seed, device)
}

pub fn generator_of(channels: usize, seed: u32, device: &Device) -> Generator {
    let config = generator_config().with_img_channels(channels);
    Generator::init(&config, seed, device).unwrap()
}

pub fn discriminator(seed: u32, device: &Device) -> Discriminator {
    discriminator_of(3, seed, device)
}

pub fn discriminator_of(channels: usize, seed: u32, device: &Device) -> Discriminator {
    let generator = generator_config().with_img_channels(channels);
    Discriminator::init(
        &DiscriminatorConfig::for_generator(&generator),
        seed,
        device,
    )
    .unwrap()
}

/// Both regularizers, style mixing, noise, augmentation and mirroring are on, so that all of them take part in every
/// comparison.
pub fn config() -> TrainingConfig {
    TrainingConfig {
        seed: 5,
        batch_size: 4,
        r1_gamma: 1.0,
        r1_interval: 3,
        path_length_interval: 2,
        augment: "color,translation,cutout".parse().unwrap(),
        mirror: true,
        ..TrainingConfig::default()
    }
}

pub fn trainer(config: TrainingConfig, device: &Device) -> Result<Trainer, TrainingError> {
    Trainer::new(
        config,
        generator(1, device),
        None,
        discriminator(2, device),
        images(10),
        device,
    )
}
