//! Images with the channels that a model makes: a generator of four gives pictures with opacity.

use std::path::Path;

use burn::tensor::Tensor;
use image_tensor::{
    Rgb, RgbImage, Rgba, RgbaImage, from_signed_unit, from_signed_unit_rgba, grid, magnify,
    over_white, write_png,
};

use crate::Error;

/// Channels of an image with opacity.
const RGBA: usize = 4;
const WHITE: Rgb<u8> = Rgb([255; 3]);
const TRANSPARENT: Rgba<u8> = Rgba([0; 4]);

/// An image with the channels that the model makes.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelImage {
    /// Of three channels, or of one that is written as three.
    Rgb(RgbImage),
    /// Of four channels, the last of which is the opacity.
    Rgba(RgbaImage),
}

impl ModelImage {
    /// Of a tensor `[batch, 1, 3 or 4, height, width]` in [-1, 1].
    ///
    /// # Panics
    ///
    /// The tensor has another number of channels.
    pub fn from_signed_unit(images: Tensor<4>) -> Vec<Self> {
        if images.dims()[1] == RGBA {
            let images = from_signed_unit_rgba(images);
            images.into_iter().map(Self::Rgba).collect()
        } else {
            let images = from_signed_unit(images);
            images.into_iter().map(Self::Rgb).collect()
        }
    }

    /// Writes a PNG file with these channels.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Rgb(image) => write_png(path, image)?,
            Self::Rgba(image) => write_png(path, image)?,
        }
        Ok(())
    }

    /// As it is shown where there is no transparency: over white.
    pub fn opaque(&self) -> RgbImage {
        match self {
            Self::Rgb(image) => image.clone(),
            Self::Rgba(image) => over_white(image),
        }
    }

    /// Whether it has an opacity.
    pub fn has_opacity(&self) -> bool {
        matches!(self, Self::Rgba(_))
    }

    /// Every pixel as a square of `factor` x `factor` pixels.
    ///
    /// # Panics
    ///
    /// `factor` is 0.
    pub fn magnified(&self, factor: u32) -> Self {
        match self {
            Self::Rgb(image) => Self::Rgb(magnify(image, factor)),
            Self::Rgba(image) => Self::Rgba(magnify(image, factor)),
        }
    }
}

/// Images of one model in rows of `columns`, `padding` pixels between them: white ones, and transparent ones where the
/// images have an opacity.
///
/// # Panics
///
/// There is no image, `columns` is 0, or the images differ in size.
pub fn sheet(images: &[ModelImage], columns: usize, padding: u32) -> ModelImage {
    let (mut rgb, mut rgba) = (Vec::new(), Vec::new());
    for image in images {
        match image {
            ModelImage::Rgb(image) => rgb.push(image.clone()),
            ModelImage::Rgba(image) => rgba.push(image.clone()),
        }
    }
    if rgba.is_empty() {
        ModelImage::Rgb(grid(&rgb, columns, padding, WHITE))
    } else {
        ModelImage::Rgba(grid(&rgba, columns, padding, TRANSPARENT))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn half_of_red_is_pink_where_there_is_no_transparency_and_stays_half_in_a_sheet() {
        // Red at an opacity of one half; signed 0.0 is 127.5 of 255, which rounds to 128.
        let values = [[[[1.0f32]], [[-1.0]], [[-1.0]], [[0.0]]]];
        let images = ModelImage::from_signed_unit(Tensor::from_data(values, &Device::flex()));
        assert!(images[0].has_opacity());
        // 255 - 128 of white is left in green and blue.
        assert_eq!(images[0].opaque().get_pixel(0, 0).0, [255, 127, 127]);
        let ModelImage::Rgba(sheet) = sheet(&[images[0].magnified(2)], 1, 1) else {
            panic!("a sheet of images with opacity has one");
        };
        assert_eq!(sheet.dimensions(), (4, 4));
        assert_eq!(sheet.get_pixel(1, 2).0, [255, 0, 0, 128]);
        assert_eq!(sheet.get_pixel(0, 0).0[3], 0);
    }

    #[test]
    fn an_image_of_three_channels_stays_one() {
        let values = [[[[1.0f32]], [[-1.0]], [[0.0]]]];
        let images = ModelImage::from_signed_unit(Tensor::from_data(values, &Device::flex()));
        assert_eq!(
            images,
            [ModelImage::Rgb(RgbImage::from_pixel(
                1,
                1,
                Rgb([255, 0, 128])
            ))]
        );
        assert_eq!(sheet(&images, 1, 0), images[0]);
    }
}
