use burn::tensor::{Device, Tensor};
use image::{Rgb, RgbImage};
use image_tensor::{
    from_signed_unit, from_signed_unit_rgba, from_unit, over_white, to_gray_signed_unit,
    to_signed_unit, to_unit, write_png,
};

fn all_bytes() -> RgbImage {
    RgbImage::from_fn(16, 16, |x, y| {
        let value = (16 * y + x) as u8;
        Rgb([value, 255 - value, value.rotate_left(3)])
    })
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn ends_and_middle_have_their_exact_values() {
    let device = Device::flex();
    let image = RgbImage::from_pixel(1, 1, Rgb([0, 51, 255]));
    let images = std::slice::from_ref(&image);
    // 51 / 127.5 - 1 = -0.6 and 51 / 255 = 0.2, up to one rounding in f32.
    assert_eq!(
        values(to_signed_unit(images, &device)),
        [-1.0, 51.0 / 127.5 - 1.0, 1.0]
    );
    assert_eq!(values(to_unit(images, &device)), [0.0, 0.2, 1.0]);
}

#[test]
fn planes_are_red_green_blue_rows_first() {
    let images = [
        RgbImage::from_fn(3, 2, |x, y| Rgb([x as u8, y as u8, 9])),
        RgbImage::new(3, 2),
    ];
    let tensor = to_unit(&images, &Device::flex()) * 255.0;
    assert_eq!(tensor.dims(), [2, 3, 2, 3]);
    let rounded: Vec<f32> = values(tensor).iter().map(|v| v.round()).collect();
    assert_eq!(rounded[..6], [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(rounded[6..12], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(rounded[12..18], [9.0; 6]);
    assert_eq!(rounded[18..], [0.0; 18]);
}

#[test]
fn every_byte_survives_the_way_there_and_back() {
    let image = all_bytes();
    let images = [image.clone(), image];
    let device = Device::flex();
    assert_eq!(from_signed_unit(to_signed_unit(&images, &device)), images);
    assert_eq!(from_unit(to_unit(&images, &device)), images);
}

#[test]
fn values_out_of_range_are_clamped_and_rounded() {
    let row = [-7.0f32, -0.997, f32::NAN, 5.0];
    let tensor = Tensor::<1>::from_floats(row, &Device::flex()).reshape([1, 1, 1, 4]);
    let images = from_signed_unit(tensor);
    let gray: Vec<[u8; 3]> = images[0].pixels().map(|p| p.0).collect();
    // -0.997 * 127.5 + 128 = 0.88, truncated to 0.
    assert_eq!(gray, [[0; 3], [0; 3], [0; 3], [255; 3]]);
}

#[test]
fn opacity_is_a_fourth_channel_and_reaches_the_file() {
    // One pixel a column: 127.5 x + 128 truncated.
    let planes = [[-1.0f32, 1.0], [1.0, 0.0], [0.0, -1.0], [1.0, -0.6]];
    let tensor = Tensor::<2>::from_floats(planes, &Device::flex()).reshape([1, 4, 1, 2]);
    let image = from_signed_unit_rgba(tensor).remove(0);
    assert_eq!(image.get_pixel(0, 0).0, [0, 255, 128, 255]);
    assert_eq!(image.get_pixel(1, 0).0, [255, 128, 0, 51]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rgba.png");
    write_png(&path, &image).unwrap();
    let read = image::open(&path).unwrap();
    assert_eq!(read.as_rgba8(), Some(&image));
    // A fifth of the color over white: 204 + 0.2 c.
    assert_eq!(over_white(&image).get_pixel(1, 0).0, [255, 230, 204]);
}

#[test]
fn luma_has_the_bt601_weights() {
    let image = RgbImage::from_fn(4, 1, |x, _| match x {
        0 => Rgb([255, 0, 0]),
        1 => Rgb([0, 255, 0]),
        2 => Rgb([0, 0, 255]),
        _ => Rgb([200; 3]),
    });
    let tensor = to_gray_signed_unit(std::slice::from_ref(&image), &Device::flex());
    assert_eq!(tensor.dims(), [1, 1, 1, 4]);
    let bytes: Vec<f32> = values(tensor)
        .iter()
        .map(|v| ((v + 1.0) * 127.5).round())
        .collect();
    // 255 times 0.299, 0.587 and 0.114.
    assert_eq!(bytes, [76.0, 150.0, 29.0, 200.0]);
}

#[test]
#[should_panic(expected = "one size: image 1 differs")]
fn images_of_two_sizes_make_no_tensor() {
    to_unit(&[RgbImage::new(2, 2), RgbImage::new(2, 3)], &Device::flex());
}

#[test]
#[should_panic(expected = "1 or 3 channels, found 2")]
fn two_channels_make_no_image() {
    from_unit(Tensor::zeros([1, 2, 4, 4], &Device::flex()));
}
