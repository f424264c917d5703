use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage};

use crate::ImageTensorError;

/// How long the frames of an animation are shown. GIF counts in steps of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTiming {
    /// Each frame but the last.
    pub frame: Duration,
    /// The last frame, before the animation starts again.
    pub last: Duration,
}

/// An endlessly repeating animated GIF's bytes; each frame has its own palette of 256 colors.
///
/// # Errors
/// [`ImageTensorError::Encode`] when the encoder refuses, as for images above 65535 pixels a side.
///
/// # Panics
/// When there is no frame, or the frames differ in size.
pub fn encode_gif(frames: &[RgbImage], timing: FrameTiming) -> Result<Vec<u8>, ImageTensorError> {
    // The palette search's speed, 1 (best colors) to 30 (fastest); 10 is where its authors see quality begin to fall.
    const PALETTE_SPEED: i32 = 10;
    let (width, height) = frames
        .first()
        .expect("an animation has at least one frame, found none")
        .dimensions();
    let failed = |e: image::ImageError| ImageTensorError::Encode {
        format: "GIF",
        width,
        height,
        reason: e.to_string(),
    };
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, PALETTE_SPEED);
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(
            frame.dimensions(),
            (width, height),
            "frames of an animation have one size: frame {index} differs from frame 0"
        );
        let shown = if index + 1 == frames.len() {
            timing.last
        } else {
            timing.frame
        };
        let rgba = DynamicImage::ImageRgb8(frame.clone()).into_rgba8();
        let delay = Delay::from_saturating_duration(shown);
        encoder
            .encode_frame(Frame::from_parts(rgba, 0, 0, delay))
            .map_err(failed)?;
    }
    drop(encoder);
    Ok(bytes)
}
