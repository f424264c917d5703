//! Courses as files that move.

use std::time::Duration;

use ganymede::image_tensor::{FrameTiming, RgbImage, encode_gif, magnify};
use ganymede::picture::{Latent, Picture};
use serde::Deserialize;

use crate::{Failure, Studio};

/// A course to go along, and how.
#[derive(Deserialize)]
pub struct Animation {
    /// Its latent is the course.
    #[serde(flatten)]
    pub picture: Picture,
    /// How many.
    pub frames: usize,
    /// How fast they are shown.
    pub frames_per_second: u8,
    /// Each pixel becomes a square of so many.
    #[serde(default = "unchanged")]
    pub enlarged: u32,
    /// Of the file.
    pub format: Format,
}

fn unchanged() -> u32 {
    1
}

/// A kind of file that moves.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// GIF, of 256 colors.
    Gif,
    /// H.264 in MP4, where a program for that is.
    Mp4,
}

const MOST_FRAMES: usize = 600;
const MOST_FRAMES_PER_SECOND: u8 = 60;
/// Side of the largest frame.
const LARGEST: u32 = 1024;
/// What an open course's last frame is shown longer, so that its end is seen.
const REST: Duration = Duration::from_secs(1);

impl Animation {
    /// Whether the numbers make sense.
    ///
    /// # Errors
    ///
    /// One does not.
    pub fn validate(&self) -> Result<(), Failure> {
        if !(2..=MOST_FRAMES).contains(&self.frames) {
            return Err(Failure::refused(format!(
                "frames: expected 2 to {MOST_FRAMES}"
            )));
        }
        if !(1..=MOST_FRAMES_PER_SECOND).contains(&self.frames_per_second) {
            return Err(Failure::refused(format!(
                "frames_per_second: expected 1 to {MOST_FRAMES_PER_SECOND}"
            )));
        }
        if self.enlarged == 0 || self.enlarged > LARGEST {
            return Err(Failure::refused(format!(
                "enlarged: expected 1 to {LARGEST}"
            )));
        }
        Ok(())
    }
}

impl Studio {
    /// The frames of a course, enlarged. It ends early when `go_on` says so.
    ///
    /// # Errors
    ///
    /// The numbers make no sense, the recipe is no course, or its picture cannot be made; it was ended early.
    pub fn frames(
        &self,
        animation: &Animation,
        go_on: impl Fn() -> bool,
    ) -> Result<Vec<RgbImage>, Failure> {
        animation.validate()?;
        // A loop's last frame would be its first again.
        let steps = match animation.is_closed()? {
            true => animation.frames,
            false => animation.frames - 1,
        };
        let times: Vec<f64> = (0..animation.frames)
            .map(|i| i as f64 / steps as f64)
            .collect();
        let picture = self.resolve(animation.picture.clone())?;
        let frames = picture.frames(&times, &self.context, |_| go_on())?;
        if frames.len() < times.len() {
            return Err(Failure::refused("nobody waits for this animation"));
        }
        let side = frames.first().map_or(1, RgbImage::width);
        let factor = animation.enlarged.min((LARGEST / side).max(1));
        Ok(frames
            .into_iter()
            .map(|frame| magnify(&frame, factor))
            .collect())
    }
}

impl Animation {
    fn is_closed(&self) -> Result<bool, Failure> {
        match &self.picture.latent {
            Latent::Course(on_course) => Ok(on_course.course.closed),
            _ => Err(Failure::refused(
                "latent: expected a course of at least two points",
            )),
        }
    }

    /// Frames as a GIF, which loops.
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn gif(&self, frames: &[RgbImage]) -> Result<Vec<u8>, Failure> {
        let frame = Duration::from_secs(1) / u32::from(self.frames_per_second);
        let last = match self.is_closed()? {
            true => frame,
            false => frame + REST,
        };
        encode_gif(frames, FrameTiming { frame, last })
            .map_err(|error| Failure::internal(error.to_string()))
    }
}
