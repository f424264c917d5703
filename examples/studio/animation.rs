//! Courses as files that move.

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use ganymede::Context;
use ganymede::image_tensor::{FrameTiming, RgbImage, encode_gif, magnify, write_png};
use ganymede::picture::{Latent, Picture};
use serde::Deserialize;

use crate::failure::Failure;

/// A course to go along, and how.
#[derive(Deserialize)]
pub struct Animation {
    #[serde(flatten)]
    pub picture: Picture,
    pub frames: usize,
    pub frames_per_second: u8,
    #[serde(default = "unchanged")]
    pub enlarged: u32,
    pub format: Format,
}

fn unchanged() -> u32 {
    1
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Gif,
    Mp4,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Gif => "image/gif",
            Self::Mp4 => "video/mp4",
        }
    }
}

const MOST_FRAMES: usize = 600;
const MOST_FRAMES_PER_SECOND: u8 = 60;
/// Side of the largest frame.
const LARGEST: u32 = 1024;
/// What an open course's last frame is shown longer, so that its end is seen.
const REST: Duration = Duration::from_secs(1);

impl Animation {
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

/// The file's bytes. `picture` is the animation's, its model named as jobs name it. It ends early when `go_on` says so.
pub fn make(
    animation: &Animation,
    picture: &Picture,
    context: &Context,
    go_on: impl Fn() -> bool,
) -> Result<Vec<u8>, Failure> {
    let Latent::Course(on_course) = &picture.latent else {
        return Err(Failure::refused(
            "latent: expected a course of at least two points",
        ));
    };
    let closed = on_course.course.closed;
    // A loop's last frame would be its first again.
    let steps = if closed {
        animation.frames
    } else {
        animation.frames - 1
    };
    let times: Vec<f64> = (0..animation.frames)
        .map(|i| i as f64 / steps as f64)
        .collect();
    let frames = picture.frames(&times, context, |_| go_on())?;
    if frames.len() < times.len() {
        return Err(Failure::refused("nobody waits for this animation"));
    }
    let side = frames.first().map_or(1, RgbImage::width);
    let factor = animation.enlarged.min((LARGEST / side).max(1));
    let frames: Vec<RgbImage> = frames
        .into_iter()
        .map(|frame| magnify(&frame, factor))
        .collect();
    match animation.format {
        Format::Gif => gif(&frames, animation.frames_per_second, closed),
        Format::Mp4 => mp4(&frames, animation.frames_per_second),
    }
}

fn gif(frames: &[RgbImage], frames_per_second: u8, closed: bool) -> Result<Vec<u8>, Failure> {
    let frame = Duration::from_secs(1) / u32::from(frames_per_second);
    let last = if closed { frame } else { frame + REST };
    encode_gif(frames, FrameTiming { frame, last })
        .map_err(|error| Failure::internal(error.to_string()))
}

/// Whether MP4 can be made here.
pub fn has_ffmpeg() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let run = Command::new("ffmpeg")
            .arg("-version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        run.is_ok_and(|status| status.success())
    })
}

fn mp4(frames: &[RgbImage], frames_per_second: u8) -> Result<Vec<u8>, Failure> {
    if !has_ffmpeg() {
        return Err(Failure::refused(
            "format: MP4 needs ffmpeg, which is not installed here; use gif",
        ));
    }
    let internal = |error: std::io::Error| Failure::internal(error.to_string());
    let folder = tempfile::tempdir().map_err(internal)?;
    for (index, frame) in frames.iter().enumerate() {
        write_png(folder.path().join(format!("{index:05}.png")), frame)
            .map_err(|error| Failure::internal(error.to_string()))?;
    }
    let file = folder.path().join("animation.mp4");
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-y", "-loglevel", "error", "-framerate"])
        .arg(frames_per_second.to_string())
        .arg("-i")
        .arg(folder.path().join("%05d.png"))
        // Players take no other layout of colors, and start sooner with the index in front.
        .args([
            "-c:v",
            "libx264",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
        ])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .map_err(internal)?;
    if !run.status.success() {
        let why = String::from_utf8_lossy(&run.stderr).trim().to_owned();
        return Err(Failure::internal(format!(
            "ffmpeg could not write the animation: {why}"
        )));
    }
    std::fs::read(file).map_err(internal)
}
