//! EfficientNet-lite0 with the weights that the repository ships.

use backbones::EfficientNetLite0;
use burn::tensor::Device;
use checkpoint_file::CheckpointError;
use testkit::{assert_close, devices};

use crate::{golden, shipped, spatial_means, values};

/// Some of the shipped weights are rounded to f16, which moves the reference's features by 8.7e-4 and no stage by more
/// than 9e-4; 0.1 % is the limit under which the repository rounds at all. Nothing before stage 5 is rounded.
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

/// timm's name of a tensor that EfficientNet-PyTorch names so.
fn timm_name(name: &str) -> String {
    /// Blocks of each stage.
    const REPEATS: [usize; 7] = [1, 2, 2, 3, 3, 4, 1];
    let Some(rest) = name.strip_prefix("_blocks.") else {
        let (module, parameter) = name.split_once('.').unwrap();
        let module = match module {
            "_conv_stem" => "conv_stem",
            "_bn0" => "bn1",
            "_conv_head" => "conv_head",
            "_bn1" => "bn2",
            "_fc" => "classifier",
            other => panic!("{other}"),
        };
        return format!("{module}.{parameter}");
    };
    let [block, layer, parameter] = *rest.splitn(3, '.').collect::<Vec<_>>() else {
        panic!("{name}");
    };
    let (mut stage, mut repeat) = (0, block.parse::<usize>().unwrap());
    while repeat >= REPEATS[stage] {
        repeat -= REPEATS[stage];
        stage += 1;
    }
    let layer = match (layer, stage) {
        // Without expansion, timm counts normalizations from the depthwise one.
        ("_bn1", 0) => "bn1",
        ("_project_conv", 0) => "conv_pw",
        ("_bn2", 0) => "bn2",
        ("_expand_conv", _) => "conv_pw",
        ("_bn0", _) => "bn1",
        ("_depthwise_conv", _) => "conv_dw",
        ("_bn1", _) => "bn2",
        ("_project_conv", _) => "conv_pwl",
        ("_bn2", _) => "bn3",
        (other, _) => panic!("{other}"),
    };
    format!("blocks.{stage}.{repeat}.{layer}.{parameter}")
}

#[test]
fn the_same_weights_are_read_under_the_names_of_timm() {
    let device = Device::flex();
    let ours = shipped("efficientnet_lite0");
    let timm = ours.rename(|name| Some(timm_name(name)));
    for name in [
        "blocks.0.0.bn2.weight",
        "blocks.1.0.conv_pwl.weight",
        "blocks.4.2.conv_dw.weight",
        "blocks.6.0.bn3.running_var",
    ] {
        assert!(timm.tensors().contains_key(name), "{name}");
    }
    let [ours, timm] = [ours, timm].map(|weights| {
        let network = EfficientNetLite0::load(&weights, &device).unwrap();
        let x = testkit::seeded("efficientnet/x", 3 * 40 * 40, 0.5);
        let x = burn::tensor::TensorData::new(x, [1, 3, 40, 40]);
        values(
            network
                .forward(burn::tensor::Tensor::from_data(x, &device))
                .features,
        )
    });
    assert_eq!(ours, timm);
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
    // A third block in a stage that has two, as deeper networks have it, is not the next stage's first.
    let deeper = shipped("efficientnet_lite0")
        .rename(|name| Some(timm_name(name).replace("blocks.2.0.", "blocks.1.2.")));
    let message = EfficientNetLite0::load(&deeper, &device)
        .unwrap_err()
        .to_string();
    assert!(message.contains("_blocks.3."), "{message}");
}
