//! Frames as files, GIF and MP4.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use checkpoint_file::shown_within;
use image_tensor::{FrameTiming, RgbImage, encode_gif, magnify, write_png};

use crate::Error;
use crate::files;
use crate::model_image::ModelImage;

/// What an open path's last frame is shown longer, so that its end is seen.
const REST: Duration = Duration::from_secs(1);

/// The file of a frame, counted from 0.
pub(super) fn frame_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("frame-{index:05}.png"))
}

/// Of what ffmpeg has to say about a failure.
const MESSAGE_CHARACTERS: usize = 2000;

/// The same as ffmpeg names all of them.
const FRAME_PATTERN: &str = "frame-%05d.png";

/// Makes the folder, without frames of an earlier run, which may have had more of them.
pub(super) fn make_frame_folder(folder: &Path) -> Result<(), Error> {
    files::make_folder(folder)?;
    for index in 0.. {
        match std::fs::remove_file(frame_file(folder, index)) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => break,
            Err(e) => {
                let file = frame_file(folder, index);
                return Err(Error::io(file, "cannot be replaced")(e));
            }
        }
    }
    Ok(())
}

/// An endless GIF of enlarged frames, each shown for `frame`.
pub(super) fn gif(
    images: &[RgbImage],
    enlarged: u32,
    frame: Duration,
    closed: bool,
) -> Result<Vec<u8>, Error> {
    let frames: Vec<RgbImage> = images.iter().map(|i| magnify(i, enlarged)).collect();
    let last = if closed { frame } else { frame + REST };
    Ok(encode_gif(&frames, FrameTiming { frame, last })?)
}

/// Frames for an encoder that knows no opacity, which would show what is hidden under transparent pixels. They are
/// removed when this is dropped.
pub(super) struct OpaqueFrames {
    folder: PathBuf,
    /// How many of them were written for this alone.
    written: usize,
}

impl OpaqueFrames {
    /// The frames of `folder` themselves, or copies over white in a folder in it where they have an opacity.
    pub(super) fn of(images: &[ModelImage], folder: &Path) -> Result<Self, Error> {
        if !images.iter().any(ModelImage::has_opacity) {
            return Ok(Self {
                folder: folder.to_owned(),
                written: 0,
            });
        }
        let mut frames = Self {
            folder: folder.join("over-white"),
            written: 0,
        };
        make_frame_folder(&frames.folder)?;
        for (index, image) in images.iter().enumerate() {
            write_png(frame_file(&frames.folder, index), &image.opaque())?;
            frames.written = index + 1;
        }
        Ok(frames)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for OpaqueFrames {
    fn drop(&mut self) {
        if self.written > 0 {
            // What cannot be removed is in nobody's way.
            for index in 0..self.written {
                let _ = std::fs::remove_file(frame_file(&self.folder, index));
            }
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

/// Frames that become an MP4.
pub(super) struct Mp4<'a> {
    pub(super) frames: &'a Path,
    pub(super) frames_per_second: u8,
    pub(super) enlarged: u32,
}

impl Mp4<'_> {
    /// Writes an H.264 file with ffmpeg; says whether there is an ffmpeg.
    pub(super) fn write(&self, file: &Path) -> Result<bool, Error> {
        self.write_with("ffmpeg", file)
    }

    /// As [`write`](Self::write), with another name or path of the program.
    pub(super) fn write_with(&self, program: &str, file: &Path) -> Result<bool, Error> {
        let scale = format!("scale=iw*{0}:ih*{0}:flags=neighbor", self.enlarged);
        let run = Command::new(program)
            .args(["-nostdin", "-y", "-loglevel", "error", "-framerate"])
            .arg(self.frames_per_second.to_string())
            .arg("-i")
            .arg(self.frames.join(FRAME_PATTERN))
            .args(["-vf", &scale, "-c:v", "libx264"])
            // Players take no other layout of colors, and start sooner with the index in front.
            .args(["-pix_fmt", "yuv420p", "-movflags", "+faststart"])
            .arg(file)
            .stdin(Stdio::null())
            .output();
        match run {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(Error::Ffmpeg(format!("{program} cannot be run ({e})"))),
            Ok(run) if run.status.success() => Ok(true),
            Ok(run) => Err(Error::Ffmpeg(format!(
                "{program} could not write {}: {}",
                file.display(),
                shown_within(
                    String::from_utf8_lossy(&run.stderr).trim(),
                    MESSAGE_CHARACTERS
                )
            ))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use image_tensor::{DecodeLimits, Rgb, Rgba, RgbaImage, decode_file};

    use super::*;

    fn frames(count: u8) -> Vec<RgbImage> {
        (0..count)
            .map(|i| RgbImage::from_pixel(4, 4, Rgb([i * 10, 0, 0])))
            .collect()
    }

    #[test]
    fn frames_of_an_earlier_run_do_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("frames");
        make_frame_folder(&folder).unwrap();
        for (index, frame) in frames(5).iter().enumerate() {
            write_png(frame_file(&folder, index), frame).unwrap();
        }
        std::fs::write(folder.join("mine.txt"), "kept").unwrap();
        make_frame_folder(&folder).unwrap();
        let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn frames_with_opacity_are_over_white_for_the_encoder_and_go_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let clear = ModelImage::Rgba(RgbaImage::from_pixel(2, 2, Rgba([9, 9, 9, 0])));
        let frames = OpaqueFrames::of(&[clear.clone(), clear], folder).unwrap();
        let written = frames.folder().to_owned();
        let found = decode_file(frame_file(&written, 1), &DecodeLimits::default()).unwrap();
        assert_eq!(found.get_pixel(1, 1).0, [255; 3]);
        drop(frames);
        assert!(!written.exists() && folder.exists());
        // Without opacity the frames that are there serve.
        let opaque = ModelImage::Rgb(RgbImage::new(2, 2));
        assert_eq!(
            OpaqueFrames::of(&[opaque], folder).unwrap().folder(),
            folder
        );
        assert!(folder.exists());
    }

    #[test]
    fn a_gif_has_every_frame_and_a_rest_at_an_open_end() {
        let frame = Duration::from_millis(40);
        let delays = |closed| {
            let bytes = gif(&frames(3), 2, frame, closed).unwrap();
            assert_eq!(&bytes[6..10], [8, 0, 8, 0], "enlarged");
            // Graphic control extensions: 21 F9 04, flags, delay in 10 ms.
            bytes
                .windows(6)
                .filter(|w| w[..3] == [0x21, 0xF9, 4])
                .map(|w| u16::from_le_bytes([w[4], w[5]]))
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(true), [4, 4, 4]);
        assert_eq!(delays(false), [4, 4, 104]);
    }

    /// `false` is a program of Unix.
    #[cfg(unix)]
    #[test]
    fn without_ffmpeg_there_is_no_film_and_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let film = Mp4 {
            frames: folder.path(),
            frames_per_second: 25,
            enlarged: 2,
        };
        let file = folder.path().join("a.mp4");
        assert!(!film.write_with("no-such-program-as-this", &file).unwrap());
        // A program that fails is an error with a way out.
        let error = film.write_with("false", &file).unwrap_err().to_string();
        assert!(error.contains("no_mp4"), "{error}");
    }
}
