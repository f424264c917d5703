//! DiffAugment: differentiable augmentation of everything the discriminator sees (Zhao et al. 2020).
//!
//! Random numbers are drawn first, as an [`Augmentation`], and applied then: the same augmentation can be applied to an
//! image and, by its linear part, to a direction, which R1 needs.

mod color;
mod cutout;
mod translation;

pub use color::{adjust_brightness, adjust_contrast, adjust_saturation};
pub use cutout::cutout;
pub use translation::translate;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use stylegan2::RandomState;

use crate::TrainingError;
use crate::random::below;

/// Largest shift, relative to the side.
const TRANSLATION_RATIO: f64 = 0.125;
/// Side of the square that is cut out, relative to the image's.
const CUTOUT_RATIO: f64 = 0.5;

/// Which augmentations are applied; the default applies none.
///
/// ```
/// use vision_aided_finetune::DiffAugment;
///
/// let policy: DiffAugment = "color,cutout".parse()?;
/// assert!(policy.color && !policy.translation && policy.cutout);
/// assert_eq!(policy.to_string(), "color,cutout");
/// # Ok::<(), vision_aided_finetune::TrainingError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffAugment {
    /// Brightness, saturation and contrast.
    pub color: bool,
    /// Shifts by up to an eighth of the side, filled with 0.
    pub translation: bool,
    /// A square of half the side is set to 0.
    pub cutout: bool,
}

impl std::str::FromStr for DiffAugment {
    type Err = TrainingError;

    /// Reads a list such as `color,translation,cutout`; an empty text is no augmentation.
    fn from_str(text: &str) -> Result<Self, TrainingError> {
        let mut policy = Self::default();
        for name in text.split(',').filter(|name| !name.is_empty()) {
            match name {
                "color" => policy.color = true,
                "translation" => policy.translation = true,
                "cutout" => policy.cutout = true,
                other => {
                    return Err(TrainingError::InvalidOption {
                        option: "augment",
                        found: other.into(),
                        expected: "a list of color, translation and cutout".into(),
                    });
                }
            }
        }
        Ok(policy)
    }
}

impl std::fmt::Display for DiffAugment {
    /// The list that [`from_str`](std::str::FromStr::from_str) reads; empty for no augmentation.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = [
            (self.color, "color"),
            (self.translation, "translation"),
            (self.cutout, "cutout"),
        ]
        .into_iter()
        .filter_map(|(is_on, name)| is_on.then_some(name))
        .collect();
        f.write_str(&names.join(","))
    }
}

impl DiffAugment {
    /// Draws the random numbers for `batch` images of `side` x `side` pixels.
    pub fn draw(self, batch: usize, side: usize, random: &mut RandomState) -> Augmentation {
        let uniforms =
            |random: &mut RandomState| (0..batch).map(|_| random.uniform() as f32).collect();
        let shift = rounded(side, TRANSLATION_RATIO);
        let hole = rounded(side, CUTOUT_RATIO);
        // Centers of an odd square lie on pixels, those of an even one between them.
        let centers = side + 1 - hole % 2;
        Augmentation {
            color: self.color.then(|| ColorJitter {
                brightness: uniforms(random),
                saturation: uniforms(random),
                contrast: uniforms(random),
            }),
            translation: self.translation.then(|| {
                let mut offset = || below(random, 2 * shift + 1) as i32 - shift as i32;
                (0..batch).map(|_| [offset(), offset()]).collect()
            }),
            cutout: self.cutout.then(|| {
                (0..batch)
                    .map(|_| [below(random, centers), below(random, centers)])
                    .collect()
            }),
        }
    }
}

/// A share of the side in pixels, rounded half up as the authors' code does.
fn rounded(side: usize, ratio: f64) -> usize {
    (side as f64 * ratio + 0.5) as usize
}

/// The augmentation of one batch: an affine map of the images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    color: Option<ColorJitter>,
    /// Rows and columns that each image is shifted by.
    translation: Option<Vec<[i32; 2]>>,
    /// Row and column of the center of each image's hole.
    cutout: Option<Vec<[usize; 2]>>,
}

/// Uniform numbers in [0, 1), one an image.
#[derive(Clone, Debug, PartialEq)]
struct ColorJitter {
    brightness: Vec<f32>,
    saturation: Vec<f32>,
    contrast: Vec<f32>,
}

impl Augmentation {
    /// The augmented images, in the shape of `x` `[batch, channels, side, side]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.color {
            Some(color) => adjust_brightness(x, &color.brightness),
            None => x,
        };
        self.apply_linear(x)
    }

    /// The linear part: what the augmentation makes of a direction `[batch, channels, side, side]` in the space of
    /// images.
    pub fn apply_linear(&self, x: Tensor<4>) -> Tensor<4> {
        // Brightness is an offset, so all else is linear.
        let x = match &self.color {
            Some(color) => {
                adjust_contrast(adjust_saturation(x, &color.saturation), &color.contrast)
            }
            None => x,
        };
        let x = match &self.translation {
            Some(offsets) => translate(x, offsets),
            None => x,
        };
        match &self.cutout {
            Some(centers) => cutout(x, centers),
            None => x,
        }
    }
}
