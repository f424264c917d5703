//! Inputs of networks against Pillow and torchvision on photographs; `tests/fixtures/preprocessing.py` makes the
//! expected values.

use backbones::{FeatureNetworkKind, Preprocessing, ResizeMethod, Sizing, resize};
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::Checkpoint;
use image_tensor::{ResizeProtocol, RgbImage, to_signed_unit};
use testkit::{assert_close, devices, relative_l2, seeded};

use crate::values;

/// The same bytes, normalized in f32 in another order.
const NORMALIZED: f64 = 1e-6;
/// Without Pillow the reference interpolates in f32, the places to read included: at pixel 300 they are off by up to
/// 2e-5 pixels.
const INTERPOLATED: f64 = 1e-5;
/// Weights in f32 and sums of up to some tens of products.
const FLOAT: f64 = 2e-6;
/// Every so many pixels the expected values have one.
const STEP: usize = 8;

/// Not a reference file: photographs with other contents would have other results.
fn fixture() -> Checkpoint {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/preprocessing.safetensors"
    );
    Checkpoint::open(path).unwrap()
}

fn photographs(fixture: &Checkpoint) -> Vec<(String, RgbImage)> {
    let tensors = fixture.tensors().iter();
    tensors
        .filter_map(|(name, pixels)| Some((name.strip_suffix("/u8")?, pixels)))
        .map(|(name, pixels)| {
            let [height, width, _] = <[usize; 3]>::try_from(pixels.shape()).unwrap();
            let bytes = pixels.bytes().to_vec();
            let image = RgbImage::from_raw(width as u32, height as u32, bytes).unwrap();
            (name.to_owned(), image)
        })
        .collect()
}

fn every_step(x: Tensor<4>) -> Vec<f32> {
    let x = x.squeeze_dim::<3>(0);
    let [_, height, width] = x.dims();
    let kept = |size: usize, device: &Device| {
        let indices: Vec<i32> = (0..size as i32).step_by(STEP).collect();
        Tensor::<1, burn::tensor::Int>::from_ints(indices.as_slice(), device)
    };
    let device = x.device();
    values(
        x.select(1, kept(height, &device))
            .select(2, kept(width, &device)),
    )
}

fn protocol(kind: FeatureNetworkKind) -> Preprocessing {
    match kind {
        FeatureNetworkKind::EfficientNetLite0 => Preprocessing::EFFICIENTNET_LITE0,
        FeatureNetworkKind::ClipVitB32 => Preprocessing::CLIP_VIT_B32,
        FeatureNetworkKind::DinoVitB16 => Preprocessing::DINO_VIT_B16,
        FeatureNetworkKind::InceptionV3Fid => Preprocessing::INCEPTION_V3_FID,
        FeatureNetworkKind::AlexNet | FeatureNetworkKind::AlexNetLayers => Preprocessing::ALEXNET,
        FeatureNetworkKind::Vgg16 | FeatureNetworkKind::Vgg16Layers => Preprocessing::VGG16,
        other => panic!("no protocol for {other}"),
    }
}

#[test]
fn photographs_become_the_inputs_that_the_references_make() {
    let fixture = fixture();
    let photographs = photographs(&fixture);
    assert_eq!(photographs.len(), 2);
    for (device_name, device) in devices() {
        for (name, image) in &photographs {
            for kind in FeatureNetworkKind::ALL {
                let what = format!("{name}, {kind} on {device_name}");
                // Other features of a network have its input.
                let network = kind.to_string().replace("_layers", "");
                let expected = fixture.tensors()[&format!("{name}/{network}")].to_f32();
                let image = std::slice::from_ref(image);
                let found = every_step(protocol(kind).images(image, &device));
                let tolerance = match protocol(kind).resize_method {
                    ResizeMethod::Bilinear => INTERPOLATED,
                    _ => NORMALIZED,
                };
                assert_close(&what, &found, &expected, tolerance);

                // Without Pillow's rounding to 8 bits: a level of 255 beside values near 1.
                let found = every_step(protocol(kind).tensor(to_signed_unit(image, &device)));
                let error = relative_l2(&found, &expected);
                assert!(error < 1e-2, "{what}, as tensors: {error}");
            }
        }
    }
}

#[test]
fn tensors_are_resized_as_floating_point_images() {
    let fixture = fixture();
    for (device_name, device) in devices() {
        for (name, image) in photographs(&fixture) {
            for (kernel, protocol) in [
                ("box", ResizeProtocol::PillowBox),
                ("bilinear", ResizeProtocol::PillowBilinear),
                ("bicubic", ResizeProtocol::PillowBicubic),
                ("lanczos", ResizeProtocol::PillowLanczos),
            ] {
                let what = format!("{name}, {kernel} on {device_name}");
                let x = to_signed_unit(std::slice::from_ref(&image), &device);
                // `FLOAT_SIZE` of the script.
                let found = every_step(resize(x, [320, 96], ResizeMethod::Pillow(protocol)));
                let expected = fixture.tensors()[&format!("{name}/float_{kernel}")].to_f32();
                assert_close(&what, &found, &expected, FLOAT);
            }
        }
    }
}

#[test]
fn gray_and_transparent_images_are_seen_as_rgb() {
    for (backend, device) in devices() {
        let image = |channels: usize, name: &str| {
            let values = seeded(name, channels * 20 * 24, 1.0);
            Tensor::<4>::from_data(TensorData::new(values, [1, channels, 20, 24]), &device)
        };
        let input = |images: Tensor<4>| -> Vec<f32> {
            let whole = Preprocessing {
                sizing: Sizing::Square(16),
                crop: 16,
                ..Preprocessing::EFFICIENTNET_LITE0
            };
            whole.tensor(images).into_data().try_to_vec().unwrap()
        };
        let gray = image(1, "grey");
        assert_eq!(
            input(gray.clone()),
            input(Tensor::cat(vec![gray.clone(), gray.clone(), gray], 1)),
            "{backend}"
        );
        let rgb = image(3, "rgb");
        let with = |opacity: f32| {
            let opacity = Tensor::full([1, 1, 20, 24], opacity, &device);
            input(Tensor::cat(vec![rgb.clone(), opacity], 1))
        };
        let opaque = input(rgb.clone());
        // One subtraction of 1 and its addition again.
        for opacity in [1.0, 3.0] {
            for (found, expected) in with(opacity).iter().zip(&opaque) {
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{backend}: {found} {expected}"
                );
            }
        }
        let white = input(Tensor::ones([1, 3, 20, 24], &device));
        assert_eq!(with(-1.0), white, "{backend}");
    }
}
