use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::error::ImageError;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage, RgbaImage,
    metadata,
};
use serde::{Deserialize, Serialize};

use crate::ImageTensorError;
use crate::jpeg_end::jpeg_has_end;

/// What one image may cost before it is refused.
///
/// Width, height and decoded size are taken from the header and checked before anything of that size is allocated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeLimits {
    /// Largest file, in bytes.
    pub max_file_bytes: u64,
    /// Largest width times height.
    pub max_pixels: u64,
    /// Most memory for the decoded pixels (in the file's own depth: 16-bit RGBA takes 8 bytes a pixel), in bytes. What
    /// a PNG, GIF, WebP or TIFF file makes its decoder hold beside the pixels, such as a compressed color profile, is
    /// bounded by the same number.
    pub max_decoded_bytes: u64,
}

impl Default for DecodeLimits {
    /// 256 MiB of file, 2^26 pixels (8192 x 8192), 512 MiB decoded: any ordinary camera's picture, and no memory that
    /// would hurt.
    fn default() -> Self {
        Self {
            max_file_bytes: 256 << 20,
            max_pixels: 1 << 26,
            max_decoded_bytes: 512 << 20,
        }
    }
}

/// Reads an image file as 8-bit RGB; see [`decode_bytes`].
///
/// Only regular files are read: a pipe may never end.
///
/// # Errors
/// As [`decode_bytes`], and [`ImageTensorError::Read`] when the file cannot be read or is no regular one. Every message
/// starts with the path.
pub fn decode_file(
    path: impl AsRef<Path>,
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageTensorError> {
    let path = path.as_ref();
    let name = path.display().to_string();
    match whole_file::read(path, limits.max_file_bytes) {
        Ok(bytes) => decode_bytes(&name, &bytes, limits),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            Err(ImageTensorError::FileTooLarge {
                name,
                limit: limits.max_file_bytes,
            })
        }
        Err(source) => Err(ImageTensorError::Read { name, source }),
    }
}

/// Decodes PNG, JPEG, GIF, WebP, BMP or TIFF as 8-bit RGB; `name` is what errors call it.
///
/// The format is taken from the content, never from the name. Gray, palettes (but not those of TIFF) and CMYK become
/// RGB. 16-bit and float samples are rounded to 8 bits; floats that are no numbers are an error. Transparency is
/// composited over white in the encoded (gamma) values, as web browsers do. Of an animation the first frame is taken.
/// EXIF orientation is applied. Color profiles are ignored: values are taken as sRGB.
///
/// # Errors
/// [`ImageTensorError`] when the bytes are empty, no image, of an unsupported format, above `limits`, or damaged.
pub fn decode_bytes(
    name: &str,
    bytes: &[u8],
    limits: &DecodeLimits,
) -> Result<RgbImage, ImageTensorError> {
    if bytes.is_empty() {
        return Err(ImageTensorError::Empty { name: name.into() });
    }
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(ImageTensorError::FileTooLarge {
            name: name.into(),
            limit: limits.max_file_bytes,
        });
    }
    let format = recognize(name, bytes)?;
    let format_name = format!("{format:?}").to_uppercase();
    let damaged = |reason: String| ImageTensorError::Decode {
        name: name.into(),
        format: format_name.clone(),
        reason,
    };
    let failed = |error: ImageError| match error {
        ImageError::Unsupported(reason) => ImageTensorError::UnsupportedKind {
            name: name.into(),
            format: format_name.clone(),
            reason: reason.to_string(),
        },
        ImageError::Limits(_) => ImageTensorError::TooMuchMemory {
            name: name.into(),
            format: format_name.clone(),
            max_bytes: limits.max_decoded_bytes,
        },
        other => damaged(other.to_string()),
    };
    // Differs from the decoder, which fills the missing part of a JPEG with gray: an image that is not the user's must
    // not pass.
    if format == ImageFormat::Jpeg && !jpeg_has_end(bytes) {
        return Err(damaged("no end-of-image marker".into()));
    }

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Pictures that are too large are refused below, with a message that names the numbers; this bounds what decoders
    // hold beside pixels.
    let mut decoder_limits = Limits::no_limits();
    decoder_limits.max_alloc = Some(limits.max_decoded_bytes);
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let decoded_bytes = decoder.total_bytes();
    if u64::from(width) * u64::from(height) > limits.max_pixels
        || decoded_bytes > limits.max_decoded_bytes
    {
        return Err(ImageTensorError::TooLarge {
            name: name.into(),
            format: format_name,
            width,
            height,
            bytes: decoded_bytes,
            max_pixels: limits.max_pixels,
            max_bytes: limits.max_decoded_bytes,
        });
    }
    if width == 0 || height == 0 {
        return Err(damaged(format!("it has {width} x {height} pixels")));
    }
    // Damaged metadata says nothing about the pixels, so it counts as absent.
    let orientation = decoder
        .orientation()
        .unwrap_or(metadata::Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    if let Some((index, value)) = first_not_finite(&decoded) {
        return Err(ImageTensorError::NotFinite {
            name: name.into(),
            format: format_name,
            index,
            value,
        });
    }
    decoded.apply_orientation(orientation);
    Ok(blend_over_white(decoded))
}

/// A float sample that is no number, with its place. Rounded to 8 bits it would be black or white and nobody would
/// know.
fn first_not_finite(decoded: &DynamicImage) -> Option<(usize, f32)> {
    let samples = match decoded {
        DynamicImage::ImageRgb32F(image) => image.as_raw(),
        DynamicImage::ImageRgba32F(image) => image.as_raw(),
        _ => return None,
    };
    let index = samples.iter().position(|sample| !sample.is_finite())?;
    Some((index, samples[index]))
}

fn recognize(name: &str, bytes: &[u8]) -> Result<ImageFormat, ImageTensorError> {
    if is_heic(bytes) {
        return Err(ImageTensorError::UnsupportedFormat {
            name: name.into(),
            format: "HEIC".into(),
        });
    }
    let format = image::guess_format(bytes).map_err(|_| ImageTensorError::NotAnImage {
        name: name.into(),
        first_bytes: describe_start(bytes),
    })?;
    match format {
        ImageFormat::Png
        | ImageFormat::Jpeg
        | ImageFormat::Gif
        | ImageFormat::WebP
        | ImageFormat::Bmp
        | ImageFormat::Tiff => Ok(format),
        other => Err(ImageTensorError::UnsupportedFormat {
            name: name.into(),
            format: format!("{other:?}").to_uppercase(),
        }),
    }
}

/// Whether the first box of an ISO media file names a brand of HEIC, the format of photos on iPhones; the decoder's
/// library knows AVIF only.
fn is_heic(bytes: &[u8]) -> bool {
    const BRANDS: [&[u8]; 8] = [
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
    ];
    bytes.get(4..8) == Some(b"ftyp")
        && bytes
            .get(8..12)
            .is_some_and(|brand| BRANDS.contains(&brand))
}

fn describe_start(bytes: &[u8]) -> String {
    const SHOWN: usize = 8;
    let start = &bytes[..bytes.len().min(SHOWN)];
    let hex: Vec<String> = start.iter().map(|b| format!("{b:02x}")).collect();
    format!("{} (\"{}\")", hex.join(" "), start.escape_ascii())
}

/// 8-bit RGB of any decoded image, `alpha * color + (1 - alpha) * white`.
fn blend_over_white(decoded: DynamicImage) -> RgbImage {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8();
    }
    let deep = decoded.color().bytes_per_pixel() / decoded.color().channel_count() > 1;
    if deep {
        // Composited before the rounding to 8 bits: rounded once, not twice.
        let rgba = decoded.into_rgba16();
        return RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
            let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
            Rgb([r, g, b].map(|value| blend16(value, alpha)))
        });
    }
    over_white(&decoded.into_rgba8())
}

/// The picture as web browsers show it: `alpha * color + (1 - alpha) * white` of the encoded (gamma) values.
pub fn over_white(rgba: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
        Rgb([r, g, b].map(|value| blend8(value, alpha)))
    })
}

fn blend8(value: u8, alpha: u8) -> u8 {
    const ONE: u32 = 255;
    let alpha = u32::from(alpha);
    ((u32::from(value) * alpha + ONE * (ONE - alpha) + ONE / 2) / ONE) as u8
}

fn blend16(value: u16, alpha: u16) -> u8 {
    const ONE: u64 = 65535;
    // 65535 / 255: an 8-bit step in 16-bit units.
    const STEP: u64 = 257;
    let alpha = u64::from(alpha);
    let scaled = u64::from(value) * alpha + ONE * (ONE - alpha);
    ((scaled + ONE * STEP / 2) / (ONE * STEP)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blending_keeps_opaque_values_and_turns_clear_ones_white() {
        for value in 0..=u8::MAX {
            assert_eq!(blend8(value, 255), value);
            assert_eq!(blend8(value, 0), 255);
            let deep = u16::from(value) * 257;
            assert_eq!(blend16(deep, u16::MAX), value);
            assert_eq!(blend16(deep, 0), 255);
        }
    }

    #[test]
    fn half_transparent_black_is_the_middle_gray() {
        // 255 * (255 - 128) / 255 = 127; 65535 * (65535 - 32768) / 65535 / 257 = 127.498.
        assert_eq!(blend8(0, 128), 127);
        assert_eq!(blend16(0, 32768), 127);
    }
}
