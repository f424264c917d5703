//! EfficientNet-lite0 with the weights that the repository ships.

use backbones::EfficientNetLite0;
use burn::tensor::Device;
use checkpoint_file::CheckpointError;
use testkit::{assert_close, devices};

use crate::{golden, shipped, spatial_means, values};

/// Some of the shipped weights are rounded to f16, which moves the reference's features by 8.7e-4 and no stage by more than 9e-4; 0.1 % is the
/// limit under which the repository rounds at all. Nothing before stage 5 is rounded.
const F16: f64 = 1e-3;
/// The stages before that: f32 against f64, through up to 33 convolutions.
const F32: f64 = 1e-5;
/// First stage with rounded weights.
const FIRST_ROUNDED_STAGE: usize = 5;

#[test]
fn photographs() {
    let golden = golden("efficientnet_lite0_real.expected.safetensors");
    let checkpoint = shipped("efficientnet_lite0");
    for (name, device) in devices() {
        let network = EfficientNetLite0::load(&checkpoint, &device).unwrap();
        let x = (golden.tensor::<4>("x_u8", &device) - 127.0) / 128.0;
        let activations = network.forward(x);
        for (index, stage) in activations.stages.into_iter().enumerate() {
            let tolerance = if index < FIRST_ROUNDED_STAGE {
                F32
            } else {
                F16
            };
            let expected = golden.values(&format!("stage{index}_mean"));
            let what = format!("stage {index} on {name}");
            assert_close(&what, &spatial_means(stage), &expected, tolerance);
        }
        let features = activations.features;
        let expected = golden.values("features");
        assert_close(
            &format!("features on {name}"),
            &values(features.clone()),
            &expected,
            F16,
        );
        let logits = values(network.logits(features));
        assert_close(
            &format!("logits on {name}"),
            &logits,
            &golden.values("logits"),
            F16,
        );
    }
}

#[test]
fn gradients_reach_the_image() {
    // Odd, so that both kinds of padding occur.
    let shape = [1, 3, 37, 34];
    let x = testkit::seeded("efficientnet/x", shape.iter().product(), 0.5);
    let probe = testkit::seeded("efficientnet/probe", EfficientNetLite0::FEATURES, 1.0);
    for (name, device) in devices() {
        let network = EfficientNetLite0::load(&shipped("efficientnet_lite0"), &device).unwrap();
        // ReLU6 switches within the step: its bends are what differences see and gradients do not.
        testkit::assert_gradient(name, &device, shape, &x, 2e-3, 2e-2, |x| {
            let features = network.forward(x).features;
            let probe = burn::tensor::Tensor::<1>::from_floats(probe.as_slice(), &device);
            (features * probe.unsqueeze()).sum()
        });
    }
}

#[test]
fn files_of_other_networks_are_refused() {
    let device = Device::flex();
    let without_statistics = shipped("efficientnet_lite0")
        .rename(|name| (name != "_blocks.3._bn1.running_mean").then(|| name.to_owned()));
    match EfficientNetLite0::load(&without_statistics, &device) {
        Err(CheckpointError::MissingTensor {
            tensor, expected, ..
        }) => {
            assert_eq!(
                (tensor.as_str(), expected),
                ("_blocks.3._bn1.running_mean", vec![144])
            );
        }
        other => panic!("{other:?}"),
    }
    let renamed = shipped("efficientnet_lite0")
        .rename(|name| Some(name.replace("_blocks.3._bn1.", "_blocks.3._bn9.")));
    assert!(EfficientNetLite0::load(&renamed, &device).is_err());
    let surplus =
        shipped("efficientnet_lite0").rename(|name| Some(name.replace("_fc.bias", "_fc.offset")));
    assert!(EfficientNetLite0::load(&surplus, &device).is_err());
}
