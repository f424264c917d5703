use std::fmt;
use std::str::FromStr;

use backbones::{Preprocessing, ResizeMethod, Sizing, resize};
use burn::tensor::{Device, Tensor, TensorData};
use image_tensor::{ResizeProtocol, RgbImage, to_signed_unit};
use serde::{Deserialize, Serialize};
use stylegan2_ops::matmul;

use crate::MetricsError;

/// Side of Inception-v3's input.
const SIDE: u32 = 299;
/// TensorFlow's graph takes `(pixel - 128) / 128`.
const TENSORFLOW_MIDDLE: f32 = 128.0 / 255.0;

/// How an 8-bit image becomes the input of Inception-v3, by the tool that does it so. All of them stretch to 299 x 299,
/// whatever the aspect ratio.
///
/// With the weights of `pt_inception-2015-12-05` the Fréchet distance is a Fréchet Inception distance that can be
/// compared with values of the same tool; values of different protocols cannot be compared with one another (Parmar,
/// Zhang and Zhu, "On aliased resizing and surprising subtleties in GAN evaluation", 2022).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FidProtocol {
    /// `pytorch-fid`: PyTorch's bilinear interpolation, which averages nothing when shrinking, and `2 x - 1` of [0, 1].
    PytorchFid,
    /// `clean-fid`, its mode `clean`: Pillow's bicubic filter on each channel in floating point, clamped to 0..255, and
    /// `(x - 128) / 128`.
    CleanFid,
    /// `torch-fidelity`, which repeats the original TensorFlow 1 code (as do the official StyleGAN2 code and
    /// clean-fid's mode `legacy_tensorflow`): bilinear from the corner of the first pixel instead of from pixel
    /// centers, and `(x - 128) / 128`.
    TorchFidelity,
}

impl FidProtocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PytorchFid, Self::CleanFid, Self::TorchFidelity];

    /// The name that [`fmt::Display`] writes and [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::PytorchFid => "pytorch-fid",
            Self::CleanFid => "clean-fid",
            Self::TorchFidelity => "torch-fidelity",
        }
    }

    /// What remains to be done with an image of 299 x 299 pixels.
    pub(crate) fn normalization(self) -> Preprocessing {
        let (mean, std) = match self {
            Self::PytorchFid => (0.5, 0.5),
            Self::CleanFid | Self::TorchFidelity => (TENSORFLOW_MIDDLE, TENSORFLOW_MIDDLE),
        };
        Preprocessing {
            name: self.name(),
            sizing: Sizing::Square(SIDE),
            resize_method: ResizeMethod::Bilinear,
            crop: SIDE,
            mean: [mean; 3],
            std: [std; 3],
        }
    }

    /// Images of any sizes as `[images, 3, 299, 299]` in [-1, 1], not rounded.
    ///
    /// # Panics
    /// When there is no image or one is empty.
    pub(crate) fn resized(self, images: &[RgbImage], device: &Device) -> Tensor<4> {
        let same_size = images
            .windows(2)
            .all(|pair| pair[0].dimensions() == pair[1].dimensions());
        if same_size {
            return self.resized_tensor(to_signed_unit(images, device));
        }
        let sized = images
            .iter()
            .map(|image| self.resized_tensor(to_signed_unit(std::slice::from_ref(image), device)))
            .collect();
        Tensor::cat(sized, 0)
    }

    fn resized_tensor(self, images: Tensor<4>) -> Tensor<4> {
        let size = [SIDE as usize; 2];
        match self {
            Self::PytorchFid => resize(images, size, ResizeMethod::Bilinear),
            Self::CleanFid => {
                let filter = ResizeMethod::Pillow(ResizeProtocol::PillowBicubic);
                resize(images, size, filter).clamp(-1.0, 1.0)
            }
            Self::TorchFidelity => resize_from_corner(images, size),
        }
    }
}

impl fmt::Display for FidProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FidProtocol {
    type Err = MetricsError;

    fn from_str(name: &str) -> Result<Self, MetricsError> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == name)
            .ok_or_else(|| MetricsError::UnknownProtocol {
                found: name.to_owned(),
            })
    }
}

/// TensorFlow 1's `resize_bilinear(align_corners=False)`.
fn resize_from_corner(images: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let device = images.device().without_autodiff();
    let matrix = |input: usize, output: usize| -> Tensor<4> {
        let values = corner_matrix(input, output);
        Tensor::from_data(TensorData::new(values, [1, 1, output, input]), &device)
    };
    // [1, 1, out height, height] · [images, 3, height, width] · [1, 1, width, out width]
    matmul(
        matmul(matrix(height, size[0]), images),
        matrix(width, size[1]).transpose(),
    )
}

/// `[output, input]`: output pixel `i` lies at `i input / output`, between the pixels on both sides.
fn corner_matrix(input: usize, output: usize) -> Vec<f32> {
    let mut matrix = vec![0.0f32; output * input];
    for (index, row) in matrix.chunks_exact_mut(input).enumerate() {
        let position = index as f64 * input as f64 / output as f64;
        let left = position.floor() as usize;
        let fraction = position - left as f64;
        row[left] += (1.0 - fraction) as f32;
        row[(left + 1).min(input - 1)] += fraction as f32;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for protocol in FidProtocol::ALL {
            assert_eq!(
                protocol.to_string().parse::<FidProtocol>().unwrap(),
                protocol
            );
        }
        let error = "fid".parse::<FidProtocol>().unwrap_err();
        assert!(error.to_string().contains("\"fid\""), "{error}");
    }

    #[test]
    fn corners_are_kept_and_nothing_is_averaged() {
        assert_eq!(
            corner_matrix(2, 4),
            [1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.0, 1.0]
        );
        assert_eq!(
            corner_matrix(4, 2),
            [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        );
    }

    #[test]
    fn middle_gray_is_where_each_tool_has_it() {
        for (name, device) in testkit::devices() {
            let gray = RgbImage::from_pixel(5, 3, image_tensor::Rgb([128; 3]));
            for protocol in FidProtocol::ALL {
                let resized = protocol.resized(std::slice::from_ref(&gray), &device);
                assert_eq!(resized.dims(), [1, 3, 299, 299]);
                let input = protocol.normalization().tensor(resized);
                let expected = match protocol {
                    FidProtocol::PytorchFid => 2.0 * 128.0 / 255.0 - 1.0,
                    _ => 0.0,
                };
                for value in input.into_data().try_to_vec::<f32>().unwrap() {
                    // Weights of sum 1, each rounded to f32.
                    assert!((value - expected).abs() < 1e-6, "{protocol} on {name}");
                }
            }
        }
    }
}
