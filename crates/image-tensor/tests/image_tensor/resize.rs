use image::{Rgb, RgbImage};
use image_tensor::{
    DecodeLimits, ResizeProtocol, center_crop_and_resize, center_crop_square, decode_file, resize,
};

use crate::fixture;

const PROTOCOLS: [(ResizeProtocol, &str); 4] = [
    (ResizeProtocol::PillowBox, "box"),
    (ResizeProtocol::PillowBilinear, "bilinear"),
    (ResizeProtocol::PillowBicubic, "bicubic"),
    (ResizeProtocol::PillowLanczos, "lanczos"),
];

#[test]
fn box_halving_is_the_mean_of_four() {
    let image = RgbImage::from_fn(4, 2, |x, y| Rgb([(10 * x + 40 * y) as u8; 3]));
    let half = resize(&image, 2, 1, ResizeProtocol::PillowBox);
    assert_eq!(half.pixels().map(|p| p.0[0]).collect::<Vec<_>>(), [25, 45]);
}

#[test]
fn constant_images_stay_constant_and_own_size_is_untouched() {
    let constant = RgbImage::from_pixel(13, 7, Rgb([3, 128, 255]));
    for (protocol, name) in PROTOCOLS {
        for (width, height) in [(1, 1), (5, 20), (64, 64)] {
            let resized = resize(&constant, width, height, protocol);
            assert!(
                resized.pixels().all(|p| p.0 == [3, 128, 255]),
                "{name} {width} x {height}"
            );
        }
        let textured = decode_file(fixture("textured.png"), &DecodeLimits::default()).unwrap();
        assert_eq!(resize(&textured, 37, 29, protocol), textured);
    }
}

#[test]
fn one_pixel_fills_a_model_sized_square() {
    let pixel = RgbImage::from_pixel(1, 1, Rgb([9, 8, 7]));
    let square = center_crop_and_resize(&pixel, 64, ResizeProtocol::PillowLanczos);
    assert!(square.dimensions() == (64, 64) && square.pixels().all(|p| p.0 == [9, 8, 7]));
}

#[test]
fn crops_keep_the_center() {
    let wide = RgbImage::from_fn(9, 4, |x, _| Rgb([x as u8, 0, 0]));
    let columns = |image: &RgbImage| {
        image
            .rows()
            .next()
            .unwrap()
            .map(|p| p.0[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(columns(&center_crop_square(&wide)), [2, 3, 4, 5]);
    let tall = RgbImage::from_fn(2, 6, |_, y| Rgb([y as u8, 0, 0]));
    let square = center_crop_square(&tall);
    assert_eq!(
        (square.dimensions(), square.get_pixel(0, 0).0[0]),
        ((2, 2), 2)
    );
}

#[test]
fn resizes_equal_those_of_pillow() {
    let textured = decode_file(fixture("textured.png"), &DecodeLimits::default()).unwrap();
    for (protocol, name) in PROTOCOLS {
        for (width, height) in [(16, 12), (64, 40), (11, 90)] {
            let file = fixture(&format!("textured_{name}_{width}x{height}.png"));
            let expected = decode_file(file, &DecodeLimits::default()).unwrap();
            let actual = resize(&textured, width, height, protocol);
            let apart = actual
                .iter()
                .zip(expected.iter())
                .filter(|(a, b)| a != b)
                .count();
            assert_eq!(apart, 0, "{name} {width} x {height}: bytes that differ");
        }
    }
}
