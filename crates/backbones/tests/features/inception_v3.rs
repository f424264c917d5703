//! Inception-v3 in its FID form on seeded weights.

use backbones::{FeatureExtractor, InceptionV3};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError};
use testkit::{assert_close, devices};

use crate::seeded::{self, Rules};
use crate::{ROUNDING, golden, spatial_means, values};

pub fn checkpoint() -> Checkpoint {
    let rules = Rules {
        prefix: "inception/",
        gain: 2f64.sqrt(),
    };
    seeded::checkpoint("inception.keys.json", &rules)
}

#[test]
fn blocks_and_pool3() {
    let golden = golden("inception.expected.safetensors");
    let checkpoint = checkpoint();
    for (name, device) in devices() {
        let network = InceptionV3::load(&checkpoint, &device).unwrap();
        let extractor = FeatureExtractor::new(network.clone());
        // The reference takes [0, 1].
        let images = golden.tensor::<4>("x", &device) * 2.0 - 1.0;
        let activations = network.forward(extractor.preprocessing().tensor(images.clone()));
        let blocks = [activations.block0, activations.block1, activations.block2];
        for (index, block) in blocks.into_iter().enumerate() {
            let expected = golden.values(&format!("block{index}_mean"));
            let what = format!("block {index} on {name}");
            assert_close(&what, &spatial_means(block), &expected, ROUNDING);
        }
        let expected = golden.values("pool3");
        assert_close(
            &format!("pool3 on {name}"),
            &values(activations.pool3),
            &expected,
            ROUNDING,
        );
        let features = values(extractor.features(images));
        assert_close(
            &format!("features on {name}"),
            &features,
            &expected,
            ROUNDING,
        );
    }
}

#[test]
fn gradients_reach_the_image() {
    let shape = [1, 3, InceptionV3::MIN_SIZE, InceptionV3::MIN_SIZE];
    let x = testkit::seeded("inception/image", shape.iter().product(), 0.5);
    let probe = testkit::seeded("inception/probe", InceptionV3::FEATURES, 1.0);
    let checkpoint = checkpoint();
    for (name, device) in devices() {
        let network = InceptionV3::load(&checkpoint, &device).unwrap();
        // ReLUs and poolings switch within the step: their bends are what differences see and gradients do not.
        testkit::assert_gradient(name, &device, shape, &x, 2e-3, 2e-2, |x| {
            let probe = Tensor::<1>::from_floats(probe.as_slice(), &device);
            (network.forward(x).pool3 * probe.unsqueeze()).sum()
        });
    }
}

#[test]
fn the_classifiers_of_either_file_are_left_out() {
    let device = Device::flex();
    let file = checkpoint();
    assert!(file.tensors().contains_key("fc.weight"));
    let without = file.rename(|name| (!name.starts_with("fc.")).then(|| name.to_owned()));
    assert!(InceptionV3::load(&without, &device).is_ok());
    // torchvision's file has a second classifier.
    let auxiliary = file.rename(|name| Some(name.replace("fc.", "AuxLogits.fc.")));
    assert!(InceptionV3::load(&auxiliary, &device).is_ok());
}

#[test]
fn files_of_other_networks_are_refused() {
    let device = Device::flex();
    let missing = checkpoint()
        .rename(|name| (name != "Mixed_7a.branch3x3_2.conv.weight").then(|| name.to_owned()));
    match InceptionV3::load(&missing, &device) {
        Err(CheckpointError::MissingTensor { tensor, .. }) => {
            assert!(tensor.starts_with("Mixed_7a.branch3x3_2.conv."), "{tensor}");
        }
        other => panic!("{other:?}"),
    }
    let surplus = checkpoint().rename(|name| Some(name.replace("fc.bias", "Mixed_8a.bias")));
    assert!(matches!(
        InceptionV3::load(&surplus, &device),
        Err(CheckpointError::ExtraTensors { .. })
    ));
}
