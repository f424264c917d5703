//! Images as one tensor of a safetensors file.

use std::path::Path;

use checkpoint_file::{Checkpoint, StoredDType, StoredTensor};
use image_tensor::{Rgb, RgbImage};

use crate::ImageSourceError;

/// The metadata entry `format` of the layout that is read.
const FORMAT: &str = "packed-images/1";
const TENSOR: &str = "images";
const CHANNELS: usize = 3;

/// Square RGB images in memory, as bytes `[count, 3, side, side]`.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    images: StoredTensor,
    side: usize,
    count: usize,
}

impl Packed {
    pub(crate) fn read(path: &Path) -> Result<Self, ImageSourceError> {
        let file = Checkpoint::open(path)?;
        let not_packed = |reason: String| ImageSourceError::NotPacked {
            path: path.to_owned(),
            reason,
        };
        let format = file.metadata().get("format").map(String::as_str);
        if format != Some(FORMAT) {
            return Err(not_packed(match format {
                Some(found) => format!(
                    "its metadata `format` is \"{}\", expected \"{FORMAT}\"",
                    crate::names::shown(found)
                ),
                None => format!("its metadata has no `format`, expected \"{FORMAT}\""),
            }));
        }
        let images = file
            .tensors()
            .get(TENSOR)
            .ok_or_else(|| not_packed(format!("it has no tensor `{TENSOR}`")))?;
        let &[count, CHANNELS, height, width] = images.shape() else {
            return Err(not_packed(format!(
                "`{TENSOR}` has shape {:?}, expected [count, {CHANNELS}, side, side]",
                images.shape()
            )));
        };
        if images.dtype() != StoredDType::U8 || height != width || width == 0 {
            return Err(not_packed(format!(
                "`{TENSOR}` is {:?} of {height}x{width}, expected U8 and squares",
                images.dtype()
            )));
        }
        Ok(Self {
            images: images.clone(),
            side: width,
            count,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn side(&self) -> usize {
        self.side
    }

    pub(crate) fn image(&self, index: usize) -> RgbImage {
        let area = self.side * self.side;
        let planes = &self.images.bytes()[index * CHANNELS * area..][..CHANNELS * area];
        RgbImage::from_fn(self.side as u32, self.side as u32, |x, y| {
            let position = y as usize * self.side + x as usize;
            Rgb([0, 1, 2].map(|channel| planes[channel * area + position]))
        })
    }
}
