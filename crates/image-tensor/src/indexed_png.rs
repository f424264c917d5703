use color_quant::NeuQuant;
use image::RgbImage;
use png::{BitDepth, ColorType, Encoder};

use crate::ImageTensorError;

/// Most colors of an indexed PNG.
const MOST_COLORS: usize = 256;
/// Fewest that NeuQuant's network is made for.
const FEWEST_COLORS: usize = 64;
/// NeuQuant's sampling factor for the best palette.
const EVERY_PIXEL: i32 = 1;

/// The image as a PNG file with a palette, chosen by NeuQuant (Dekker 1994): a third of the size of 8-bit RGB for
/// pictures of flat areas.
///
/// `colors` is from 64 to 256; numbers outside count as the nearest of these.
///
/// ```
/// use image_tensor::{Rgb, RgbImage, decode_bytes, DecodeLimits, encode_indexed_png};
///
/// let image = RgbImage::from_pixel(9, 5, Rgb([200, 30, 40]));
/// let decoded = decode_bytes("a palette", &encode_indexed_png(&image, 64)?, &DecodeLimits::default())?;
/// assert_eq!(decoded.dimensions(), (9, 5));
/// # Ok::<(), image_tensor::ImageTensorError>(())
/// ```
///
/// # Errors
/// [`ImageTensorError::Encode`] when the encoder refuses, as for an image without pixels.
pub fn encode_indexed_png(image: &RgbImage, colors: usize) -> Result<Vec<u8>, ImageTensorError> {
    let refused = |reason: String| ImageTensorError::Encode {
        format: "PNG",
        width: image.width(),
        height: image.height(),
        reason,
    };
    if image.is_empty() {
        return Err(refused("it has no pixels".to_owned()));
    }
    let opaque: Vec<u8> = image
        .pixels()
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], u8::MAX])
        .collect();
    let colors = colors.clamp(FEWEST_COLORS, MOST_COLORS);
    let quantizer = NeuQuant::new(EVERY_PIXEL, colors, &opaque);
    let palette = quantizer.color_map_rgb();
    let indices: Vec<u8> = opaque
        .chunks_exact(4)
        .map(|pixel| quantizer.index_of(pixel) as u8)
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette);
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&indices)?;
            writer.finish()
        })
        .map_err(|e| refused(e.to_string()))?;
    Ok(bytes)
}

/// [`encode_indexed_png`] with as many colors, halved from 256 down to 64, as `most_bytes` can hold; with 64 the file
/// may be larger.
///
/// # Errors
/// As [`encode_indexed_png`].
pub fn encode_indexed_png_within(
    image: &RgbImage,
    most_bytes: usize,
) -> Result<Vec<u8>, ImageTensorError> {
    let mut colors = MOST_COLORS;
    loop {
        let bytes = encode_indexed_png(image, colors)?;
        if bytes.len() <= most_bytes || colors <= FEWEST_COLORS {
            return Ok(bytes);
        }
        colors /= 2;
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A ramp of more colors than a palette has.
    fn ramp() -> RgbImage {
        RgbImage::from_fn(64, 64, |x, y| Rgb([(4 * x) as u8, (4 * y) as u8, 128]))
    }

    fn decoded(bytes: &[u8]) -> RgbImage {
        image::load_from_memory(bytes)
            .expect("a PNG file")
            .into_rgb8()
    }

    #[test]
    fn colors_are_near_what_they_were() {
        let image = ramp();
        let found = decoded(&encode_indexed_png(&image, 256).expect("pixels"));
        let squares = image.iter().zip(found.iter()).map(|(a, b)| {
            let difference = f64::from(*a) - f64::from(*b);
            difference * difference
        });
        let deviation = (squares.sum::<f64>() / image.len() as f64).sqrt();
        // 256 colors cut a square of 252 x 252 into squares of side 16, in which a uniform value is off by 16 /
        // sqrt(12) = 4.6 in two of three channels; the palette is not that even. A wrong index is off by tens.
        assert!(deviation < 8.0, "{deviation}");
        // A picture of few colors keeps them but for the quantizer's rounding.
        let flat = RgbImage::from_fn(20, 10, |x, _| {
            Rgb(if x < 10 { [250, 10, 10] } else { [0, 0, 200] })
        });
        let found = decoded(&encode_indexed_png(&flat, 64).expect("pixels"));
        let farthest = flat
            .iter()
            .zip(found.iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(farthest <= Some(4), "{farthest:?}");
    }

    #[test]
    fn a_file_takes_no_more_than_asked_where_fewer_colors_allow_it() {
        let image = ramp();
        let full = encode_indexed_png(&image, 256).expect("pixels").len();
        let less = encode_indexed_png_within(&image, full - 1)
            .expect("pixels")
            .len();
        assert!(less < full);
        assert_eq!(
            encode_indexed_png_within(&image, full)
                .expect("pixels")
                .len(),
            full
        );
        // With the fewest colors it ends, whatever was asked for.
        assert!(encode_indexed_png_within(&image, 1).expect("pixels").len() > 1);
    }

    #[test]
    fn an_image_without_pixels_is_refused() {
        assert!(encode_indexed_png(&RgbImage::new(0, 3), 64).is_err());
    }
}
