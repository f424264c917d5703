//! Folders, archives and generators give the same features; damaged and odd-sized images are named, and skipped where
//! that is asked for.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use backbones::{FeatureExtractor, FeatureNetwork, Preprocessing, ResizeMethod, Sizing};
use burn::tensor::{Device, Tensor};
use image_source::ImageSourceError;
use image_tensor::{DecodeLimits, RgbImage, encode_png, to_signed_unit, write_png};
use metrics_fid::{
    BadImages, FeatureSet, ImageFeatures, ImageSource, Keep, MetricsError, StreamOptions,
    feature_moments, generated_features, stored_features,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Takes the four pixels of 2 x 2 images for features.
#[derive(Debug)]
struct Pixels;

impl FeatureNetwork for Pixels {
    fn name(&self) -> &str {
        "pixels"
    }

    fn dimension(&self) -> usize {
        12
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            name: "pixels",
            sizing: Sizing::Square(2),
            resize_method: ResizeMethod::Bilinear,
            crop: 2,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        input.flatten(1, 3)
    }
}

fn pixels() -> ImageFeatures {
    ImageFeatures::from(FeatureExtractor::new(Pixels))
}

/// Seven images of 4 x 4 pixels.
fn images() -> Vec<RgbImage> {
    (0..7u8)
        .map(|index| {
            RgbImage::from_fn(4, 4, |x, y| {
                let value = 30 * index + 5 * x as u8 + y as u8;
                image_tensor::Rgb([value, 255 - value, value / 2])
            })
        })
        .collect()
}

fn write_folder(folder: &Path) {
    std::fs::create_dir(folder.join("b")).unwrap();
    for (index, image) in images().iter().enumerate() {
        // Names in the order of the images, also with subfolders.
        let name = if index < 3 {
            format!("a{index}.png")
        } else {
            format!("b/{index}.PNG")
        };
        write_png(folder.join(name), image).unwrap();
    }
    std::fs::write(folder.join("notes.txt"), "no image").unwrap();
    std::fs::write(folder.join(".hidden.png"), "no image").unwrap();
}

fn stream(path: &Path, options: &StreamOptions) -> Result<FeatureSet, MetricsError> {
    let source = ImageSource::open(path)?;
    let device = Device::flex();
    let stored = stored_features(&pixels(), &source, options, &device, |_| {
        ControlFlow::Continue(())
    })?;
    Ok(stored.set)
}

fn small_batches() -> StreamOptions {
    StreamOptions {
        batch_size: 3,
        ..StreamOptions::default()
    }
}

#[test]
fn folders_archives_and_generators_give_the_same_features() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images");
    std::fs::create_dir(&path).unwrap();
    write_folder(&path);
    let expected = stream(&path, &small_batches()).unwrap();
    assert_eq!(expected.count(), 7);

    let zip_path = folder.path().join("images.zip");
    let mut archive = ZipWriter::new(std::fs::File::create(&zip_path).unwrap());
    let tar_path = folder.path().join("images.TAR");
    let mut tape = tar::Builder::new(std::fs::File::create(&tar_path).unwrap());
    // The archive's own order is another one.
    for (index, image) in images().iter().enumerate().rev() {
        archive
            .start_file(format!("x/{index}.png"), SimpleFileOptions::default())
            .unwrap();
        archive.write_all(&encode_png(image).unwrap()).unwrap();
    }
    for (index, image) in images().iter().enumerate() {
        let bytes = encode_png(image).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let name = format!("x/{index}.png");
        tape.append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    archive
        .start_file("readme.txt", SimpleFileOptions::default())
        .unwrap();
    archive.finish().unwrap();
    tape.finish().unwrap();
    assert_eq!(ImageSource::open(&zip_path).unwrap().len(), 7);
    assert_eq!(ImageSource::open(&tar_path).unwrap().len(), 7);

    for path in [&zip_path, &tar_path] {
        let found = stream(path, &small_batches()).unwrap();
        assert_eq!(found.features(), expected.features(), "{}", path.display());
    }
    for path in [&path, &zip_path, &tar_path] {
        let first = ImageSource::open(path).unwrap().with_limit(2);
        let limits = DecodeLimits::default();
        let names: Vec<String> = first
            .images(&limits)
            .map(|image| image.unwrap().name)
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0] < names[1], "{names:?}");
    }

    // A generator's images, with what files would round off.
    let device = Device::flex();
    let images = images();
    let batches = || {
        images
            .chunks(4)
            .map(|batch| to_signed_unit(batch, &device) + 0.4 / 127.5)
    };
    let generated = generated_features(&pixels(), batches(), Keep::Features, |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(generated.features(), expected.features());
    let moments = feature_moments(&FeatureExtractor::new(Pixels), batches(), |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(moments.count(), 7);
    let difference = moments
        .mean_covariance(feature_stats::Ddof::Sample)
        .unwrap()
        .mean()
        - expected.mean_covariance().unwrap().mean();
    // Batches of other sizes, in f64.
    assert!(difference.iter().all(|d| d.abs() < 1e-14));
}

/// In 8 bits such a value would be black or white, and the distance a number like any other.
#[test]
fn generated_images_that_are_no_numbers_are_named() {
    let device = Device::flex();
    let gray = Tensor::<4>::zeros([3, 3, 2, 2], &device);
    for value in [f32::NAN, f32::INFINITY] {
        let bad = gray.clone().slice_fill([1..2, 2..3, 1..2, 0..1], value);
        let error = generated_features(&pixels(), [gray.clone(), bad], Keep::Features, |_| {
            ControlFlow::Continue(())
        })
        .unwrap_err();
        assert!(
            matches!(error, MetricsError::NonFiniteImage { image: 4 }),
            "{error}"
        );
    }
}

#[test]
fn moments_alone_keep_no_features() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path());
    let options = StreamOptions {
        keep: Keep::Moments,
        ..StreamOptions::default()
    };
    let set = stream(folder.path(), &options).unwrap();
    assert_eq!((set.count(), set.features()), (7, None));
}

#[test]
fn damaged_and_odd_images_are_named_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path());
    let damaged = folder.path().join("b/5.PNG");
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    write_png(folder.path().join("c.png"), &RgbImage::new(9, 4)).unwrap();

    let error = stream(folder.path(), &small_batches()).unwrap_err();
    assert!(error.to_string().contains("5.PNG"), "{error}");

    let source = ImageSource::open(folder.path()).unwrap();
    assert_eq!(source.len(), 8);
    let device = Device::flex();
    let mut options = StreamOptions {
        bad_images: BadImages::Skip,
        ..small_batches()
    };
    let run = |options: &StreamOptions| {
        let mut heard = Vec::new();
        let stored = stored_features(&pixels(), &source, options, &device, |images| {
            heard.push(images);
            ControlFlow::Continue(())
        });
        (stored.unwrap(), heard)
    };
    let (stored, heard) = run(&options);
    assert_eq!(stored.set.count(), 7);
    assert_eq!(stored.skipped.len(), 1);
    assert_eq!(
        stored.sizes.into_iter().collect::<Vec<_>>(),
        [([4, 4], 6), ([9, 4], 1)]
    );
    assert_eq!(heard, [3, 7, 8]);

    options.one_size = true;
    let (stored, _) = run(&options);
    assert_eq!(stored.set.count(), 6);
    let reasons: Vec<String> = stored.skipped.iter().map(ToString::to_string).collect();
    assert!(reasons[0].contains("5.PNG"), "{reasons:?}");
    assert!(
        reasons[1].contains("c.png") && reasons[1].contains("9 x 4 pixels"),
        "{reasons:?}"
    );
}

#[test]
fn damaged_entries_of_archives_are_named_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("images.zip");
    let mut archive = ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (index, image) in images().iter().take(2).enumerate() {
        archive
            .start_file(format!("{index}.png"), SimpleFileOptions::default())
            .unwrap();
        archive.write_all(&encode_png(image).unwrap()).unwrap();
    }
    archive
        .start_file("2.png", SimpleFileOptions::default())
        .unwrap();
    archive.write_all(b"no image at all").unwrap();
    archive.finish().unwrap();
    let error = stream(&path, &small_batches()).unwrap_err().to_string();
    assert!(error.contains("images.zip:2.png"), "{error}");
    let options = StreamOptions {
        bad_images: BadImages::Skip,
        ..small_batches()
    };
    assert_eq!(stream(&path, &options).unwrap().count(), 2);

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 30]).unwrap();
    assert!(matches!(
        stream(&path, &options),
        Err(MetricsError::Images(ImageSourceError::Archive { .. }))
    ));
    let cut = folder.path().join("cut.tar");
    std::fs::write(&cut, [b'x'; 700]).unwrap();
    assert!(matches!(
        stream(&cut, &options),
        Err(MetricsError::Images(ImageSourceError::Archive { .. }))
    ));
}

#[test]
fn places_without_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        ImageSource::open(folder.path()),
        Err(ImageSourceError::Empty { .. })
    ));
    assert!(matches!(
        ImageSource::open(folder.path().join("nowhere")),
        Err(ImageSourceError::Io { .. })
    ));
    let file = folder.path().join("a.png");
    write_png(&file, &images()[0]).unwrap();
    assert_eq!(ImageSource::open(&file).unwrap().len(), 1);
    std::fs::write(&file, "damaged").unwrap();
    // All of them skipped: the first reason is the error.
    let options = StreamOptions {
        bad_images: BadImages::Skip,
        ..StreamOptions::default()
    };
    let error = stream(folder.path(), &options).unwrap_err().to_string();
    assert!(error.contains("a.png"), "{error}");
}

#[test]
fn a_stream_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path());
    let source = ImageSource::open(folder.path()).unwrap();
    let found = stored_features(
        &pixels(),
        &source,
        &small_batches(),
        &Device::flex(),
        |images| {
            if images >= 6 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    assert!(matches!(found, Err(MetricsError::Cancelled { images: 6 })));
}

#[test]
fn sets_grow_row_by_row() {
    let mut set = FeatureSet::new(2, Keep::Features);
    set.add_rows(ndarray::array![[1.0f32, 2.0]].view()).unwrap();
    assert!(
        set.add_rows(ndarray::array![[f32::NAN, 2.0]].view())
            .is_err()
    );
    assert!(set.add_rows(ndarray::array![[1.0f32]].view()).is_err());
    assert!(matches!(set.mean_covariance(), Err(MetricsError::Stats(_))));
    set.add_rows(ndarray::array![[3.0f32, 4.0]].view()).unwrap();
    assert_eq!(
        set.into_features().unwrap(),
        ndarray::array![[1.0, 2.0], [3.0, 4.0]]
    );
}

#[test]
fn options_are_the_same_after_json_and_what_is_left_out_is_the_default() {
    let mut options = StreamOptions {
        batch_size: 3,
        bad_images: BadImages::Skip,
        keep: Keep::Moments,
        ..StreamOptions::default()
    };
    options.limits.max_pixels = 1000;
    let json = serde_json::to_string(&options).unwrap();
    assert_eq!(
        serde_json::from_str::<StreamOptions>(&json).unwrap(),
        options
    );
    let partial: StreamOptions =
        serde_json::from_str(r#"{"limits": {"max_pixels": 1000}}"#).unwrap();
    assert_eq!(partial.limits, options.limits);
    assert_eq!(partial.batch_size, StreamOptions::default().batch_size);
    let misspelt = serde_json::from_str::<StreamOptions>(r#"{"batch": 3}"#).unwrap_err();
    assert!(misspelt.to_string().contains("batch"), "{misspelt}");
}
