use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, Rgb, RgbImage};
use image_tensor::{FrameTiming, absolute_difference, encode_gif, grid, magnify, strip};

const BLACK: Rgb<u8> = Rgb([0; 3]);

fn flat(value: u8) -> RgbImage {
    RgbImage::from_pixel(3, 2, Rgb([value; 3]))
}

#[test]
fn grids_fill_row_by_row_with_padding() {
    let sheet = grid(&[flat(10), flat(20), flat(30)], 2, 1, BLACK);
    assert_eq!(sheet.dimensions(), (9, 7));
    let at = |x, y| sheet.get_pixel(x, y).0[0];
    assert_eq!((at(1, 1), at(3, 2), at(5, 1), at(1, 4)), (10, 10, 20, 30));
    // Padding, and the place of the missing fourth image.
    assert_eq!((at(0, 0), at(4, 1), at(5, 4), at(8, 6)), (0, 0, 0, 0));
}

#[test]
fn strips_are_one_row_and_few_images_make_no_empty_columns() {
    assert_eq!(strip(&[flat(1), flat(2)], 0, BLACK).dimensions(), (6, 2));
    assert_eq!(grid(&[flat(1)], 8, 0, BLACK).dimensions(), (3, 2));
}

#[test]
fn magnified_pixels_are_squares() {
    let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8; 3]));
    let large = magnify(&image, 3);
    assert_eq!(large.dimensions(), (6, 3));
    assert!(
        large
            .enumerate_pixels()
            .all(|(x, _, p)| p.0 == [(x / 3) as u8; 3])
    );
}

#[test]
fn differences_are_absolute() {
    let apart = absolute_difference(&flat(10), &flat(14));
    assert!(apart.pixels().all(|p| p.0 == [4; 3]));
    assert_eq!(apart, absolute_difference(&flat(14), &flat(10)));
}

#[test]
fn gif_frames_keep_their_order_colors_and_delays() {
    let timing = FrameTiming {
        frame: Duration::from_millis(40),
        last: Duration::from_millis(900),
    };
    let colors = [Rgb([200, 0, 0]), Rgb([0, 200, 0]), Rgb([0, 0, 200])];
    let frames = colors.map(|color| RgbImage::from_pixel(8, 8, color));
    let bytes = encode_gif(&frames, timing).unwrap();
    let decoder = GifDecoder::new(std::io::Cursor::new(&bytes)).unwrap();
    let decoded = decoder.into_frames().collect_frames().unwrap();
    assert_eq!(decoded.len(), 3);
    for (index, frame) in decoded.iter().enumerate() {
        let [r, g, b, alpha] = frame.buffer().get_pixel(4, 4).0;
        assert_eq!((Rgb([r, g, b]), alpha), (colors[index], 255));
        let expected = if index == 2 {
            timing.last
        } else {
            timing.frame
        };
        assert_eq!(Duration::from(frame.delay()), expected);
    }
}
