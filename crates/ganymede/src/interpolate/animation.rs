//! Frames as files, GIF and MP4.

use ganymede::files;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use image_tensor::{FrameTiming, RgbImage, encode_gif, magnify};

use examples::Failure;

/// What an open path's last frame is shown longer, so that its end is seen.
const REST: Duration = Duration::from_secs(1);

/// The file of a frame, counted from 0.
pub fn frame_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("frame-{index:05}.png"))
}

/// The same as ffmpeg names all of them.
const FRAME_PATTERN: &str = "frame-%05d.png";

/// Makes the folder, without frames of an earlier run, which may have had more of them.
pub fn make_frame_folder(folder: &Path) -> Result<(), Failure> {
    files::make_folder(folder)?;
    for index in 0.. {
        match std::fs::remove_file(frame_file(folder, index)) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => break,
            Err(e) => {
                let file = frame_file(folder, index);
                return Err(format!("{}: cannot be replaced ({e})", file.display()).into());
            }
        }
    }
    Ok(())
}

/// An endless GIF of enlarged frames, each shown for `frame`.
pub fn gif(
    images: &[RgbImage],
    enlarged: u32,
    frame: Duration,
    closed: bool,
) -> Result<Vec<u8>, Failure> {
    let frames: Vec<RgbImage> = images.iter().map(|i| magnify(i, enlarged)).collect();
    let last = if closed { frame } else { frame + REST };
    Ok(encode_gif(&frames, FrameTiming { frame, last })?)
}

/// Frames that become an MP4.
pub struct Mp4<'a> {
    pub frames: &'a Path,
    pub frames_per_second: u8,
    pub enlarged: u32,
}

impl Mp4<'_> {
    /// Writes an H.264 file with ffmpeg; says whether there is an ffmpeg.
    pub fn write(&self, file: &Path) -> Result<bool, Failure> {
        self.write_with("ffmpeg", file)
    }

    /// As [`write`](Self::write), with another name or path of the program.
    pub fn write_with(&self, program: &str, file: &Path) -> Result<bool, Failure> {
        let scale = format!("scale=iw*{0}:ih*{0}:flags=neighbor", self.enlarged);
        let run = Command::new(program)
            .args(["-nostdin", "-y", "-loglevel", "error", "-framerate"])
            .arg(self.frames_per_second.to_string())
            .arg("-i")
            .arg(self.frames.join(FRAME_PATTERN))
            .args(["-vf", &scale, "-c:v", "libx264"])
            // Players take no other layout of colours, and start sooner with the index in front.
            .args(["-pix_fmt", "yuv420p", "-movflags", "+faststart"])
            .arg(file)
            .stdin(Stdio::null())
            .output();
        match run {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(format!(
                "{program}: cannot be run ({e}); leave the MP4 out with --no-mp4"
            )
            .into()),
            Ok(run) if run.status.success() => Ok(true),
            Ok(run) => Err(format!(
                "{program} could not write {}: {}; leave the MP4 out with --no-mp4",
                file.display(),
                String::from_utf8_lossy(&run.stderr).trim()
            )
            .into()),
        }
    }
}
