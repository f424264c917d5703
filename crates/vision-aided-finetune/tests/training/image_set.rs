use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use checkpoint_file::{FloatPrecision, StoredDType, StoredTensor, save_safetensors};
use image_tensor::{Rgb, RgbImage, write_png};
use vision_aided_finetune::{ImageSet, TrainingError};

use crate::values;

fn device() -> Device {
    testkit::devices().remove(0).1
}

fn write_packed(path: &Path, format: &str, tensor: &str, shape: [usize; 4], dtype: StoredDType) {
    let count: usize = shape.iter().product::<usize>() * dtype.size();
    let bytes = (0..count).map(|index| (index % 251) as u8).collect();
    let tensors = BTreeMap::from([(
        tensor.to_owned(),
        StoredTensor::new(dtype, shape.to_vec(), bytes),
    )]);
    let metadata = BTreeMap::from([("format".to_owned(), format.to_owned())]);
    save_safetensors(path, &tensors, &metadata, FloatPrecision::F32).unwrap();
}

#[test]
fn bytes_map_to_the_signed_unit_range_and_mirrored_rows_run_backwards() {
    let set = ImageSet::from_bytes(2, vec![0, 255, 51, 204, 1, 2, 3, 4, 5, 6, 7, 8]);
    let found = values(set.batch(&[0, 0], &[false, true], &device()));
    let signed = |byte: u8| f32::from(byte) / 127.5 - 1.0;
    assert_eq!(found[..4], [0, 255, 51, 204].map(signed));
    assert_eq!(found[12..16], [255, 0, 204, 51].map(signed));
    assert_eq!((found[0], found[1]), (-1.0, 1.0));
}

#[test]
fn a_folder_is_read_in_the_order_of_its_paths_cropped_and_resized() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let colors = [[10, 20, 30], [200, 100, 50], [7, 8, 9]];
    // Of different sizes, and one in a folder below.
    for (name, color, (width, height)) in [
        ("b.png", colors[1], (40, 30)),
        ("a/z.png", colors[0], (8, 8)),
        ("c.PNG", colors[2], (9, 16)),
    ] {
        let image = RgbImage::from_pixel(width, height, Rgb(color));
        write_png(folder.path().join(name), &image).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "not an image").unwrap();
    let set = ImageSet::open(folder.path(), 8).unwrap();
    assert_eq!((set.len(), set.side()), (3, 8));
    let found = values(set.batch(&[0, 1, 2], &[false; 3], &device()));
    for (index, color) in colors.iter().enumerate() {
        for (channel, byte) in color.iter().enumerate() {
            let plane = &found[(index * 3 + channel) * 64..][..64];
            let expected = f32::from(*byte) / 127.5 - 1.0;
            assert!(plane.iter().all(|value| *value == expected));
        }
    }
}

#[test]
fn a_packed_file_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.safetensors");
    write_packed(
        &path,
        "packed-images/1",
        "images",
        [5, 3, 8, 8],
        StoredDType::U8,
    );
    let set = ImageSet::open(&path, 8).unwrap();
    assert_eq!((set.len(), set.side()), (5, 8));
    let own_size = ImageSet::open_packed(&path).unwrap();
    assert_eq!(own_size.side(), 8);
    assert_eq!(own_size.fingerprint(), set.fingerprint());
    let expected = (3 * 192 % 251) as f32 / 127.5 - 1.0;
    assert_eq!(values(set.batch(&[3], &[false], &device()))[0], expected);
    let twice = ImageSet::concat(vec![set.clone(), set.clone()]).unwrap();
    assert_eq!(twice.len(), 10);
    assert_eq!(
        values(twice.batch(&[8], &[false], &device())),
        values(set.batch(&[3], &[false], &device()))
    );
    assert_ne!(twice.fingerprint(), set.fingerprint());
}

/// NIST's example of SHA-256: the three bytes "abc", here one pixel.
#[test]
fn the_fingerprint_is_the_sha256_of_all_bytes() {
    let set = ImageSet::from_bytes(1, b"abc".to_vec());
    assert_eq!(
        set.fingerprint(),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(set.image(0), b"abc");
}

#[test]
fn one_inner_pixel_changes_the_fingerprint() {
    let side = 64;
    let bytes = vec![255; 2 * 3 * side * side];
    let plain = ImageSet::from_bytes(side, bytes.clone());
    for position in [0, 32 * side + 31, bytes.len() / 2 + 17, bytes.len() - 1] {
        let mut other = bytes.clone();
        other[position] = 254;
        let other = ImageSet::from_bytes(side, other);
        assert_ne!(other.fingerprint(), plain.fingerprint(), "byte {position}");
    }
    let halves = [&bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]];
    let halves = halves.map(|half| {
        let set = ImageSet::from_bytes(side, half.to_vec());
        assert_ne!(set.fingerprint(), plain.fingerprint());
        set
    });
    let joined = ImageSet::concat(halves.into()).unwrap();
    assert_eq!(joined.fingerprint(), plain.fingerprint());
}

#[test]
fn unusable_files_and_folders_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.safetensors");
    let refused = |format: &str, tensor: &str, shape: [usize; 4], dtype: StoredDType| {
        write_packed(&path, format, tensor, shape, dtype);
        let message = ImageSet::open(&path, 8).unwrap_err().to_string();
        assert!(message.contains("images.safetensors"), "{message}");
        message
    };
    let good = "packed-images/1";
    let shape = [2, 3, 8, 8];
    assert!(
        refused("packed-images/2", "images", shape, StoredDType::U8).contains("packed-images/2")
    );
    assert!(refused(good, "pictures", shape, StoredDType::U8).contains("no tensor"));
    assert!(refused(good, "images", [2, 4, 8, 8], StoredDType::U8).contains("[2, 4, 8, 8]"));
    assert!(refused(good, "images", [2, 3, 8, 4], StoredDType::U8).contains("8x4"));
    assert!(refused(good, "images", shape, StoredDType::I16).contains("I16"));
    assert!(refused(good, "images", [2, 3, 4, 4], StoredDType::U8).contains("expected 8"));

    let empty = tempfile::tempdir().unwrap();
    let error = ImageSet::open(empty.path(), 8).unwrap_err();
    assert!(
        matches!(
            error,
            TrainingError::Images(image_source::ImageSourceError::Empty { .. })
        ),
        "{error}"
    );
    std::fs::write(empty.path().join("broken.png"), b"no picture").unwrap();
    let message = ImageSet::open(empty.path(), 8).unwrap_err().to_string();
    assert!(message.contains("broken.png"), "{message}");
    assert!(ImageSet::open(empty.path().join("missing"), 8).is_err());
    assert!(ImageSet::concat(Vec::new()).is_err());
    let sizes = vec![
        ImageSet::from_bytes(2, vec![0; 12]),
        ImageSet::from_bytes(1, vec![0; 3]),
    ];
    let error = ImageSet::concat(sizes).unwrap_err();
    assert!(matches!(
        error,
        TrainingError::WrongSize {
            found: 1,
            expected: 2,
            ..
        }
    ));
}

#[test]
fn gray_images_have_the_luma_that_pillow_gives() {
    // Planes of a 1x2 image would be no square: two images of one pixel.
    let set = ImageSet::from_bytes(1, vec![255, 0, 0, 9, 9, 9]);
    let gray = set.gray();
    assert_eq!((gray.channels(), gray.len()), (1, 2));
    // 0.299 * 255 = 76.2, and gray stays as it is.
    assert_eq!((gray.image(0), gray.image(1)), (&[76][..], &[9][..]));
    let batch = gray.batch(&[1], &[false], &Device::flex());
    assert_eq!(batch.dims(), [1, 1, 1, 1]);
    assert_ne!(gray.fingerprint(), set.fingerprint());
    // As if each plane had been averaged by itself.
    let larger = ImageSet::from_bytes(2, [10u8, 20, 30, 41].repeat(3));
    assert_eq!(larger.gray().reduced(1).unwrap().image(0), [25]);
}
