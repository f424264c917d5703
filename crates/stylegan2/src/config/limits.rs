//! Bounds on what a configuration may ask for. A configuration can come from a file, so these keep the shapes' products
//! within `usize` and the number of modules small before a single tensor has been compared with it.

use std::collections::BTreeMap;

use crate::StyleGan2Error;

/// Largest image side: that of the largest published StyleGAN2 models.
pub(crate) const MAX_RESOLUTION: usize = 1024;

/// The first block of every network has 4x4 pixels.
pub(crate) const MIN_RESOLUTION: usize = 4;

/// Largest number of features of any vector or feature map; published networks have at most 1024.
pub(crate) const MAX_FEATURES: usize = 1 << 16;

/// Most mapping layers; published networks have 2 to 8.
pub(crate) const MAX_MAPPING_LAYERS: usize = 64;

/// Largest convolution kernel; published networks have 3.
pub(crate) const MAX_KERNEL_SIZE: usize = 15;

pub(crate) fn check_range(
    option: &str,
    found: usize,
    least: usize,
    most: usize,
) -> Result<(), StyleGan2Error> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(StyleGan2Error::invalid(
            option,
            found,
            format!("a whole number from {least} to {most}"),
        ))
    }
}

pub(crate) fn check_resolution(found: usize, least: usize) -> Result<(), StyleGan2Error> {
    if found.is_power_of_two() && (least..=MAX_RESOLUTION).contains(&found) {
        Ok(())
    } else {
        Err(StyleGan2Error::invalid(
            "img_resolution",
            found,
            format!("a power of two from {least} to {MAX_RESOLUTION}"),
        ))
    }
}

pub(crate) fn check_positive(option: &str, found: f32) -> Result<(), StyleGan2Error> {
    if found.is_finite() && found > 0.0 {
        Ok(())
    } else {
        Err(StyleGan2Error::invalid(
            option,
            found,
            "a positive finite number",
        ))
    }
}

/// Feature maps at a resolution: `min(channel_base / resolution, channel_max)`.
pub(crate) fn channels(channel_base: usize, channel_max: usize, resolution: usize) -> usize {
    (channel_base / resolution).min(channel_max)
}

/// Checks that every block has at least one and at most [`MAX_FEATURES`] feature maps.
pub(crate) fn check_channels(
    prefix: &str,
    channel_base: usize,
    channel_max: usize,
    table: Option<&BTreeMap<usize, usize>>,
    resolution: usize,
) -> Result<(), StyleGan2Error> {
    check_range(
        &format!("{prefix}channel_max"),
        channel_max,
        1,
        MAX_FEATURES,
    )?;
    if channel_base < resolution {
        return Err(StyleGan2Error::invalid(
            format!("{prefix}channel_base"),
            channel_base,
            format!(
                "at least the resolution, {resolution}, as the last block has channel_base / {resolution} feature maps"
            ),
        ));
    }
    for (listed, features) in table.into_iter().flatten() {
        if !listed.is_power_of_two() || !(MIN_RESOLUTION..=resolution).contains(listed) {
            return Err(StyleGan2Error::invalid(
                format!("{prefix}channels"),
                format!("a table with the resolution {listed}"),
                format!("powers of two from {MIN_RESOLUTION} to {resolution}"),
            ));
        }
        check_range(
            &format!("{prefix}channels.{listed}"),
            *features,
            1,
            MAX_FEATURES,
        )?;
    }
    Ok(())
}
