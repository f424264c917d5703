use serde::{Deserialize, Serialize};

use super::Mask;
use crate::picture::Picture;
use crate::{Error, Model};

/// What is dragged where, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The picture to start from.
    pub picture: Picture,
    /// The points.
    pub handles: Vec<Handle>,
    /// Where the picture may change; everywhere without one.
    #[serde(default)]
    pub mask: Option<Mask>,
    /// Steps of the optimization at most.
    #[serde(default = "steps")]
    pub steps: usize,
    /// Adam's.
    #[serde(default = "learning_rate")]
    pub learning_rate: f64,
    /// Weight of staying the same outside the mask.
    #[serde(default = "lambda_mask")]
    pub lambda_mask: f32,
    /// How many of the first layers of `w_plus` are optimized.
    #[serde(default = "layers")]
    pub layers: usize,
    /// Resolution of the block whose features are compared; half of the image's, at most that of the sixth block,
    /// without one.
    #[serde(default)]
    pub block: Option<usize>,
}

/// A point and where it should go, `[x, y]` in pixels, the middle of the first pixel at 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// The point.
    pub from: [f64; 2],
    /// Its target.
    pub to: [f64; 2],
}

fn steps() -> usize {
    300
}

// Differs from the paper's 0.002, which is for w of 512 dimensions: at 64 pixels that takes ten times the steps.
fn learning_rate() -> f64 {
    0.02
}

fn lambda_mask() -> f32 {
    20.0
}

fn layers() -> usize {
    6
}

/// More points than anyone sets by hand.
const MOST_HANDLES: usize = 64;
const MOST_STEPS: usize = 10_000;
/// Of the sixth block.
const LARGEST_BLOCK: usize = 128;
/// The paper's radii, in pixels of an image of this side.
const PUBLISHED_SIDE: f64 = 512.0;
const PUBLISHED_RADIUS: f64 = 3.0;
const PUBLISHED_TRACKING_RADIUS: f64 = 12.0;
/// Smaller ones would hold a single pixel, and a handle that moves by more than one would be lost.
const LEAST_RADIUS: f64 = 2.0;
const LEAST_TRACKING_RADIUS: f64 = 4.0;
/// A distance of one pixel counts as arrived, and of two where there are many handles.
const FEW_HANDLES: usize = 5;

impl Options {
    /// The paper's numbers but for the learning rate, without handles.
    pub fn new(picture: Picture) -> Self {
        Self {
            picture,
            handles: Vec::new(),
            mask: None,
            steps: steps(),
            learning_rate: learning_rate(),
            lambda_mask: lambda_mask(),
            layers: layers(),
            block: None,
        }
    }

    /// Whether the values make sense together, as far as that can be said before the model is known.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        let handles = self.handles.len();
        if !(1..=MOST_HANDLES).contains(&handles) {
            return Err(Error::option(
                "handles",
                handles,
                format!("expected 1 to {MOST_HANDLES}"),
            ));
        }
        if self.steps > MOST_STEPS {
            return Err(Error::option(
                "steps",
                self.steps,
                format!("expected at most {MOST_STEPS}"),
            ));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            return Err(Error::option(
                "learning_rate",
                self.learning_rate,
                "expected a number above 0 and at most 10",
            ));
        }
        if !(0.0..=1e6).contains(&self.lambda_mask) {
            return Err(Error::option(
                "lambda_mask",
                self.lambda_mask,
                "expected a number from 0 to 1e6",
            ));
        }
        if self.layers == 0 {
            return Err(Error::option("layers", self.layers, "expected at least 1"));
        }
        Ok(())
    }

    /// How near to their targets handles have to come, in pixels.
    pub(super) fn arrival(&self) -> f64 {
        if self.handles.len() <= FEW_HANDLES {
            1.0
        } else {
            2.0
        }
    }

    pub(super) fn sizes(&self, model: &Model) -> Result<Sizes, Error> {
        let side = model.resolution() as usize;
        let block = self.block.unwrap_or((side / 2).clamp(4, LARGEST_BLOCK));
        if block > side || block < 4 || !block.is_power_of_two() {
            return Err(Error::option(
                "block",
                block,
                format!(
                    "{} has the blocks of resolution 4 to {side}, each of twice the one before",
                    model.name
                ),
            ));
        }
        let inside = |point: &[f64; 2]| point.iter().all(|x| (0.0..=(side - 1) as f64).contains(x));
        for handle in &self.handles {
            if !inside(&handle.from) || !inside(&handle.to) {
                return Err(Error::option(
                    "handles",
                    format!("{:?} to {:?}", handle.from, handle.to),
                    format!("expected points of a picture of {side}x{side} pixels"),
                ));
            }
        }
        let scaled = |published: f64, least: f64| {
            (published * side as f64 / PUBLISHED_SIDE)
                .round()
                .max(least)
        };
        Ok(Sizes {
            side,
            block,
            layers: self.layers.min(model.generator.synthesis.num_ws()),
            radius: scaled(PUBLISHED_RADIUS, LEAST_RADIUS),
            tracking_radius: scaled(PUBLISHED_TRACKING_RADIUS, LEAST_TRACKING_RADIUS) as usize,
        })
    }
}

/// In pixels of the image.
pub(super) struct Sizes {
    pub side: usize,
    /// Resolution of the features.
    pub block: usize,
    /// Layers that are optimized.
    pub layers: usize,
    /// Of the disk that is moved.
    pub radius: f64,
    /// Half the side of the square that a handle is looked for in.
    pub tracking_radius: usize,
}
