use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use stylegan2::{Discriminator, Generator};

use crate::images::{GRAY, RGB};
use crate::{ImageSet, TrainingConfig, TrainingError};

/// The same discriminator, of which training leaves the first `layers` layers (from the image on) as they are
/// (Freeze-D, Mo et al. 2020).
///
/// Layers are counted as in the official option `freezed`: `fromrgb`, `conv0`, `conv1` and `skip` of every block.
///
/// # Errors
/// When the tensors do not fit the configuration, which they always do unless a weight is not finite.
pub fn freeze_discriminator_layers(
    discriminator: &Discriminator,
    layers: usize,
    device: &Device,
) -> Result<Discriminator, TrainingError> {
    let mut config = discriminator.config().clone();
    config.block_kwargs.freeze_layers = layers;
    let metadata = BTreeMap::from([("config".to_owned(), config.to_json())]);
    let tensors = Checkpoint::from_tensors("the discriminator", discriminator.tensors(), metadata);
    Ok(Discriminator::from_checkpoint(&tensors, device)?)
}

/// The images as the generator makes them: gray ones for a generator of one channel.
pub(crate) fn in_colors_of(generator: &Generator, images: Arc<ImageSet>) -> Arc<ImageSet> {
    let owned = match images.for_channels(generator.config().img_channels) {
        Cow::Owned(gray) => Some(Arc::new(gray)),
        Cow::Borrowed(_) => None,
    };
    owned.unwrap_or(images)
}

/// Checks that networks, images and options go together. Networks in an earlier stage of progressive growing have a
/// lower resolution than the images.
pub(crate) fn check(
    config: &TrainingConfig,
    generator: &Generator,
    discriminator: &Discriminator,
    images: &ImageSet,
) -> Result<(), TrainingError> {
    config.validate()?;
    let (g, d) = (generator.config(), discriminator.config());
    let invalid = |option, found: String, expected: &str| TrainingError::InvalidOption {
        option,
        found,
        expected: expected.into(),
    };
    if g.c_dim != 0 || d.c_dim != 0 {
        return Err(invalid(
            "c_dim",
            format!("{} (generator) and {} (discriminator)", g.c_dim, d.c_dim),
            "0: images have no labels here, so only unconditional networks can be trained",
        ));
    }
    if g.img_resolution != d.img_resolution || g.img_channels != d.img_channels {
        return Err(invalid(
            "discriminator",
            format!(
                "one for {} channels of {1}x{1}",
                d.img_channels, d.img_resolution
            ),
            &format!(
                "one for the generator's {} channels of {1}x{1}",
                g.img_channels, g.img_resolution
            ),
        ));
    }
    if g.img_channels != images.channels() {
        return Err(invalid(
            "img_channels",
            g.img_channels.to_string(),
            &format!("{GRAY} or {RGB}: training images are gray or RGB"),
        ));
    }
    let stages = &config.progressive;
    let in_stage = stages
        .iter()
        .any(|stage| stage.resolution == g.img_resolution);
    if images.side() != g.img_resolution && !in_stage {
        return Err(TrainingError::WrongSize {
            what: "the training images".into(),
            found: images.side(),
            expected: g.img_resolution,
        });
    }
    if let Some(stage) = stages.iter().find(|stage| {
        stage.resolution >= images.side() || !images.side().is_multiple_of(stage.resolution)
    }) {
        return Err(invalid(
            "progressive",
            stage.to_string(),
            &format!(
                "a resolution below the images' {}, of which that is a multiple",
                images.side()
            ),
        ));
    }
    if let Some(size) = d.epilogue_kwargs.mbstd_group_size {
        let group = size.min(config.batch_size);
        if !config.batch_size.is_multiple_of(group) {
            return Err(invalid(
                "batch_size",
                config.batch_size.to_string(),
                &format!("a multiple of the discriminator's minibatch group of {group}"),
            ));
        }
    }
    Ok(())
}
