use burn::tensor::{Device, Tensor, TensorData};
use image_tensor::{
    ResizeProtocol, RgbImage, center_crop, center_offset, resize_shorter_side, rgb_over_white,
    shorter_side_size, to_unit,
};

use crate::resize::{ResizeMethod, resize};

/// What happens to an image's size before the crop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sizing {
    /// The shorter side gets this many pixels, the longer one follows, rounded down (torchvision's `Resize`).
    ShorterSide(u32),
    /// Both sides get this many pixels, whatever the aspect ratio.
    Square(u32),
}

/// The way from an image to a network's input, by name: resize, central crop, and `(value - mean) / std` of values in
/// [0, 1].
///
/// The constants are the published protocols. A field can be replaced to depart from them:
///
/// ```
/// use backbones::{Preprocessing, Sizing};
///
/// // Without the published crop, for pictures whose margins matter.
/// let whole = Preprocessing {
///     name: "efficientnet_lite0, whole picture",
///     sizing: Sizing::Square(224),
///     ..Preprocessing::EFFICIENTNET_LITE0
/// };
/// assert_eq!(whole.crop, 224);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocessing {
    /// Name, for records of how features were computed.
    pub name: &'static str,
    /// The resize.
    pub sizing: Sizing,
    /// Its kernel.
    pub resize_method: ResizeMethod,
    /// Height and width of the input, cut from the center.
    pub crop: u32,
    /// Per channel, of values in [0, 1].
    pub mean: [f32; 3],
    /// Per channel, of values in [0, 1].
    pub std: [f32; 3],
}

/// torchvision's mean and standard deviation of ImageNet.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

impl Preprocessing {
    /// Google's evaluation of EfficientNet-lite: the central 224/256 of the shorter side, `(pixel - 127) / 128`.
    ///
    /// Differs from Google's code in the resize, Pillow's bicubic here and TensorFlow's there.
    pub const EFFICIENTNET_LITE0: Self = Self {
        name: "efficientnet_lite0",
        sizing: Sizing::ShorterSide(256),
        resize_method: ResizeMethod::Pillow(ResizeProtocol::PillowBicubic),
        crop: 224,
        mean: [127.0 / 255.0; 3],
        std: [128.0 / 255.0; 3],
    };

    /// OpenAI's `clip.load` for ViT-B/32.
    pub const CLIP_VIT_B32: Self = Self {
        name: "clip_vit_b32",
        sizing: Sizing::ShorterSide(224),
        resize_method: ResizeMethod::Pillow(ResizeProtocol::PillowBicubic),
        crop: 224,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
    };

    /// The evaluation of DINO's authors.
    pub const DINO_VIT_B16: Self = Self {
        name: "dino_vit_b16",
        sizing: Sizing::ShorterSide(256),
        resize_method: ResizeMethod::Pillow(ResizeProtocol::PillowBicubic),
        crop: 224,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    };

    /// torchvision's evaluation of AlexNet.
    pub const ALEXNET: Self = Self {
        name: "alexnet",
        sizing: Sizing::ShorterSide(256),
        resize_method: ResizeMethod::Pillow(ResizeProtocol::PillowBilinear),
        crop: 224,
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
    };

    /// torchvision's evaluation of VGG16.
    pub const VGG16: Self = Self {
        name: "vgg16",
        ..Self::ALEXNET
    };

    /// pytorch-fid's: any aspect ratio to 299 x 299 without averaging, `2 value - 1`.
    pub const INCEPTION_V3_FID: Self = Self {
        name: "inception_v3_fid",
        sizing: Sizing::Square(299),
        resize_method: ResizeMethod::Bilinear,
        crop: 299,
        mean: [0.5; 3],
        std: [0.5; 3],
    };

    /// The network's input `[images, 3, crop, crop]` for 8-bit images of any sizes; with Pillow's kernels equal to what
    /// torchvision's transforms give, rounding to 8 bits included.
    ///
    /// # Panics
    /// When there is no image, one is empty, or the crop is larger than the resized image.
    pub fn images(&self, images: &[RgbImage], device: &Device) -> Tensor<4> {
        let device = &device.clone().without_autodiff();
        let unit = match self.resize_method {
            ResizeMethod::Pillow(protocol) => {
                let sized: Vec<RgbImage> = images
                    .iter()
                    .map(|image| {
                        let resized = match self.sizing {
                            Sizing::ShorterSide(side) => resize_shorter_side(image, side, protocol),
                            Sizing::Square(side) => {
                                image_tensor::resize(image, side, side, protocol)
                            }
                        };
                        center_crop(&resized, self.crop, self.crop)
                    })
                    .collect();
                to_unit(&sized, device)
            }
            _ => {
                let sized = images
                    .iter()
                    .map(|image| self.resized(to_unit(std::slice::from_ref(image), device)))
                    .collect();
                Tensor::cat(sized, 0)
            }
        };
        (unit - per_channel(self.mean, device)) / per_channel(self.std, device)
    }

    /// The network's input `[batch, 3, crop, crop]` for images `[batch, 1, 3 or 4, height, width]` in [-1, 1], such as
    /// a generator's, differentiably: gray as three channels, transparency over white ([`rgb_over_white`]). Nothing is
    /// rounded to 8 bits.
    ///
    /// # Panics
    /// When there is another number of channels, an image is empty, or the crop is larger than the resized image.
    pub fn tensor(&self, images: Tensor<4>) -> Tensor<4> {
        let images = rgb_over_white(images);
        let device = images.device().without_autodiff();
        // x / 2 + 1 / 2 maps [-1, 1] to [0, 1]; one factor and one offset in place of four passes.
        let factor = self.std.map(|std| 0.5 / std);
        let offset = [0, 1, 2].map(|channel| (0.5 - self.mean[channel]) / self.std[channel]);
        let images = self.resized(images);
        if factor == [1.0; 3] && offset == [0.0; 3] {
            return images;
        }
        images * per_channel(factor, &device) + per_channel(offset, &device)
    }

    /// Resize and crop of a tensor of any range.
    fn resized(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let [resized_width, resized_height] = match self.sizing {
            Sizing::ShorterSide(side) => shorter_side_size([width as u32, height as u32], side),
            Sizing::Square(side) => [side; 2],
        };
        let size = [resized_height as usize, resized_width as usize];
        let x = resize(x, size, self.resize_method);
        let crop = self.crop as usize;
        if size == [crop; 2] {
            return x;
        }
        let top = center_offset(resized_height, self.crop) as usize;
        let left = center_offset(resized_width, self.crop) as usize;
        x.slice([0..batch, 0..channels, top..top + crop, left..left + crop])
    }
}

/// `[1, 3, 1, 1]`
fn per_channel(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), device)
}
