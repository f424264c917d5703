//! Features of image batches.

use backbones::{AlexNet, FeatureExtractor, FeatureNetworkKind, Preprocessing, Sizing, Vgg16};
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::Checkpoint;
use testkit::{assert_close, devices, relative_l2};

use crate::{clip, dino, inception_v3, shipped, values};

fn checkpoint(kind: FeatureNetworkKind) -> Checkpoint {
    match kind {
        FeatureNetworkKind::EfficientNetLite0 => shipped("efficientnet_lite0"),
        FeatureNetworkKind::ClipVitB32 => clip::image_checkpoint(),
        FeatureNetworkKind::DinoVitB16 => dino::checkpoint(),
        FeatureNetworkKind::InceptionV3Fid => inception_v3::checkpoint(),
        FeatureNetworkKind::AlexNet | FeatureNetworkKind::AlexNetLayers => shipped("alexnet"),
        FeatureNetworkKind::Vgg16 | FeatureNetworkKind::Vgg16Layers => shipped("vgg16"),
        other => panic!("no checkpoint for {other}"),
    }
}

fn pictures(batch: usize, device: &Device) -> Tensor<4> {
    let shape = [batch, 3, 40, 52];
    // Bytes, so that the 8-bit path can take the same pictures.
    let values: Vec<f32> = testkit::seeded("extractor/pictures", shape.iter().product(), 40.0)
        .iter()
        .map(|value| (value.round() + 128.0).clamp(0.0, 255.0) / 127.5 - 1.0)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn every_network_gives_named_features_of_images_of_any_size() {
    for (name, device) in devices() {
        for kind in FeatureNetworkKind::ALL {
            let extractor = kind.load(&checkpoint(kind), &device).unwrap();
            assert_eq!(extractor.name(), kind.to_string());
            assert_eq!(extractor.preprocessing().name, kind.to_string());
            let images = pictures(2, &device);
            let features = extractor.features(images.clone());
            assert_eq!(features.dims(), [2, extractor.dimension()]);

            let second = values(features.narrow(0, 1, 1));
            let alone = values(extractor.features(images.clone().narrow(0, 1, 1)));
            // The same sums in another order.
            let what = format!("{kind} on {name}, alone");
            assert_close(&what, &alone, &second, 1e-5);

            let bytes = image_tensor::from_signed_unit(images);
            let rounded = values(extractor.image_features(&bytes[1..], &device));
            // Pillow rounds to 8 bits after each direction of a resize, 0.3 % of the range each, which moves features
            // of noise by up to 2 %.
            let error = relative_l2(&rounded, &second);
            assert!(error < 5e-2, "{kind} on {name}, 8 bits: {error}");
        }
    }
}

#[test]
fn networks_of_activations_give_the_means_of_the_last() {
    for (name, device) in devices() {
        let kind = FeatureNetworkKind::AlexNet;
        let images = pictures(2, &device);
        let extractor = kind.load(&checkpoint(kind), &device).unwrap();
        let network = AlexNet::load(&checkpoint(kind), &device).unwrap();
        let [.., last] = network.forward(extractor.preprocessing().tensor(images.clone()));
        let [_, channels, height, width] = last.dims();
        let means: Vec<f32> = values(last)
            .chunks(height * width)
            .map(|plane| plane.iter().sum::<f32>() / plane.len() as f32)
            .collect();
        assert_eq!(means.len(), 2 * channels);
        // 36 summands in another order.
        let found = values(extractor.features(images));
        assert_close(name, &found, &means, 1e-6);
    }
}

#[test]
fn layer_means_are_those_of_every_activation_in_their_order() {
    for (name, device) in devices() {
        let images = pictures(2, &device);
        let alexnet = AlexNet::load(&checkpoint(FeatureNetworkKind::AlexNet), &device).unwrap();
        let vgg16 = Vgg16::load(&checkpoint(FeatureNetworkKind::Vgg16), &device).unwrap();
        for (kind, activations) in [
            (
                FeatureNetworkKind::AlexNetLayers,
                alexnet.forward(Preprocessing::ALEXNET.tensor(images.clone())),
            ),
            (
                FeatureNetworkKind::Vgg16Layers,
                vgg16.forward(Preprocessing::VGG16.tensor(images.clone())),
            ),
        ] {
            let extractor = kind.load(&checkpoint(kind), &device).unwrap();
            for image in 0..2 {
                let expected: Vec<f32> = activations
                    .iter()
                    .flat_map(|layer| {
                        let area = layer.dims()[2] * layer.dims()[3];
                        let planes = values(layer.clone().narrow(0, image, 1));
                        let means = planes.chunks(area).map(|plane| {
                            let sum: f64 = plane.iter().copied().map(f64::from).sum();
                            (sum / area as f64) as f32
                        });
                        means.collect::<Vec<f32>>()
                    })
                    .collect();
                let found = extractor.features(images.clone().narrow(0, image, 1));
                assert_eq!(found.dims(), [1, extractor.dimension()]);
                // Sums of up to 224 x 224 values in single precision against the same in double; and the image by
                // itself, so sums in another order.
                assert_close(
                    &format!("{kind} on {name}"),
                    &values(found),
                    &expected,
                    1e-5,
                );
            }
        }
    }
}

#[test]
fn gradients_pass_the_preprocessing() {
    let kind = FeatureNetworkKind::EfficientNetLite0;
    for (name, device) in devices() {
        let smaller = Preprocessing {
            sizing: Sizing::ShorterSide(36),
            crop: 32,
            ..Preprocessing::EFFICIENTNET_LITE0
        };
        let extractor: FeatureExtractor = kind
            .load(&checkpoint(kind), &device)
            .unwrap()
            .with_preprocessing(smaller);
        let probe = testkit::seeded("extractor/probe", extractor.dimension(), 1.0);
        let x = testkit::seeded("extractor/x", 3 * 20 * 24, 0.5);
        // ReLU6 switches within the step: its bends are what differences see and gradients do not.
        testkit::assert_gradient(name, &device, [1, 3, 20, 24], &x, 2e-3, 2e-2, |x| {
            let probe = Tensor::<1>::from_floats(probe.as_slice(), &device);
            (extractor.features(x) * probe.unsqueeze()).sum()
        });
    }
}
