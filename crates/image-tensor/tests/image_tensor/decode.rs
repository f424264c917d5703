use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use image_tensor::{DecodeLimits, decode_bytes, decode_file, encode_png};

use crate::fixture;

const RED: Rgb<u8> = Rgb([255, 0, 0]);
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image
        .into()
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

fn decoded(bytes: &[u8]) -> RgbImage {
    decode_bytes("bytes", bytes, &DecodeLimits::default()).unwrap()
}

fn textured() -> RgbImage {
    decode_file(fixture("textured.png"), &DecodeLimits::default()).unwrap()
}

#[test]
fn lossless_formats_return_the_pixels_they_were_given() {
    let image = textured();
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
    ] {
        assert_eq!(
            decoded(&encoded(image.clone(), format)),
            image,
            "{format:?}"
        );
    }
    assert_eq!(decoded(&encode_png(&image).unwrap()), image);
}

#[test]
fn jpeg_is_close_to_the_pixels_it_was_given() {
    let smooth = RgbImage::from_fn(32, 32, |x, y| Rgb([8 * x as u8, 8 * y as u8, 128]));
    let back = decoded(&encoded(smooth.clone(), ImageFormat::Jpeg));
    // Quality 75 keeps a smooth gradient within a few steps of 255; color subsampling costs most.
    let worst = smooth
        .iter()
        .zip(back.iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max()
        .unwrap();
    assert!(worst <= 16, "largest error {worst}");
}

#[test]
fn gray_becomes_equal_channels() {
    let gray = GrayImage::from_pixel(3, 2, Luma([77]));
    assert_eq!(
        decoded(&encoded(gray, ImageFormat::Png)).get_pixel(2, 1),
        &Rgb([77; 3])
    );
}

#[test]
fn transparency_is_composited_over_white() {
    let gray_alpha = ImageBuffer::from_pixel(2, 2, LumaA([0u8, 51]));
    // 0.2 of black over white.
    assert_eq!(
        decoded(&encoded(gray_alpha, ImageFormat::Png)).get_pixel(0, 0),
        &Rgb([204; 3])
    );
    let rgba = ImageBuffer::from_pixel(2, 2, Rgba([255u8, 0, 0, 102]));
    assert_eq!(
        decoded(&encoded(rgba, ImageFormat::Png)).get_pixel(0, 0),
        &Rgb([255, 153, 153])
    );
    for file in ["halves_rgba.webp", "halves_palette.png"] {
        let halves = decode_file(fixture(file), &DecodeLimits::default()).unwrap();
        assert_eq!(halves.dimensions(), (6, 4), "{file}");
        assert_eq!(
            (halves.get_pixel(2, 3), halves.get_pixel(3, 0)),
            (&RED, &WHITE),
            "{file}"
        );
    }
}

#[test]
fn deep_samples_are_rounded_to_eight_bits() {
    let deep = ImageBuffer::from_pixel(2, 2, Rgb([65535u16, 257 * 100 + 129, 257 * 100 + 128]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let bytes = encoded(deep.clone(), format);
        assert_eq!(
            decoded(&bytes).get_pixel(1, 1),
            &Rgb([255, 101, 100]),
            "{format:?}"
        );
    }
    let clear = ImageBuffer::from_pixel(2, 2, Rgba([0u16, 0, 65535, 13107]));
    // 0.2 of blue over white.
    assert_eq!(
        decoded(&encoded(clear, ImageFormat::Png)).get_pixel(0, 0),
        &Rgb([204, 204, 255])
    );
}

#[test]
fn animations_give_their_first_frame() {
    for file in [
        "red_then_green.gif",
        "red_then_green.webp",
        "red_then_green.png",
    ] {
        let frame = decode_file(fixture(file), &DecodeLimits::default()).unwrap();
        assert_eq!(
            (frame.dimensions(), frame.get_pixel(5, 3)),
            ((6, 4), &RED),
            "{file}"
        );
    }
}

#[test]
fn cmyk_becomes_rgb() {
    let image = decode_file(fixture("red_cmyk.jpg"), &DecodeLimits::default()).unwrap();
    let [red, green, blue] = image.get_pixel(4, 4).0;
    // JPEG rounding; the naive conversion of full magenta and yellow is pure red.
    assert!(
        red > 245 && green < 10 && blue < 10,
        "{:?}",
        image.get_pixel(4, 4)
    );
}

#[test]
fn exif_orientation_is_applied() {
    let upright = decode_file(fixture("orientation_6.jpg"), &DecodeLimits::default()).unwrap();
    assert_eq!(upright.dimensions(), (16, 32));
    let (top, bottom) = (upright.get_pixel(8, 4).0[0], upright.get_pixel(8, 28).0[0]);
    assert!(top < 5 && bottom > 250, "top {top}, bottom {bottom}");
}

#[test]
fn the_content_decides_not_the_name() {
    let bytes = encoded(textured(), ImageFormat::Bmp);
    assert_eq!(
        decode_bytes("picture.jpg", &bytes, &DecodeLimits::default()).unwrap(),
        textured()
    );
}
