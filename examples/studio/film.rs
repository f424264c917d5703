//! Courses as MP4, by ffmpeg.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use ganymede::image_tensor::{RgbImage, write_png};

use crate::failure::Failure;

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

/// Refuses a film where none can be made, before its frames are.
pub fn check() -> Result<(), Failure> {
    match has_ffmpeg() {
        true => Ok(()),
        false => Err(Failure::refused(
            "format: MP4 needs ffmpeg, which is not installed here; use gif",
        )),
    }
}

/// The frames as a film.
pub fn mp4(frames: &[RgbImage], frames_per_second: u8) -> Result<Vec<u8>, Failure> {
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
