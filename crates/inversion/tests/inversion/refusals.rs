use burn::tensor::{Device, Tensor};
use inversion::{
    InversionConfig, InversionError, LatentSpace, Noise, NoiseOptimization, NoiseStart, Start,
};

use crate::model::{Model, short, targets};

#[test]
fn targets_of_another_shape_are_refused_with_what_to_do() {
    let device = Device::flex();
    let model = Model::new(&device);
    let side = model.generator.synthesis.img_resolution();
    let channels = model.generator.synthesis.img_channels();
    for shape in [
        [1, channels, side, side + 1],
        [1, channels, 2 * side, 2 * side],
        [2, channels + 1, side, side],
    ] {
        let error = model
            .invert(Tensor::zeros(shape, &device), &short())
            .unwrap_err();
        assert!(matches!(error, InversionError::TargetShape { found, .. } if found == shape));
        let message = error.to_string();
        let advice = format!("resize the images to {side} x {side} pixels with {channels} channel");
        assert!(message.contains(&advice), "{message}");
    }
    let none = Tensor::zeros([0, channels, side, side], &device);
    assert!(matches!(
        model.invert(none, &short()),
        Err(InversionError::NoTargets)
    ));
}

#[test]
fn starts_of_another_shape_are_refused() {
    let device = Device::flex();
    let model = Model::new(&device);
    let (num_ws, w_dim) = (
        model.generator.synthesis.num_ws(),
        model.generator.synthesis.w_dim(),
    );
    let batch = targets(&device).dims()[0];
    let start = |shape: [usize; 3], space| {
        let start = Start::Given(Tensor::zeros(shape, &device));
        let config = InversionConfig {
            steps: 0,
            space,
            start,
            ..short()
        };
        model.invert(targets(&device), &config)
    };
    assert!(start([batch, num_ws, w_dim], LatentSpace::WPlus).is_ok());
    assert!(start([1, 1, w_dim], LatentSpace::W).is_ok());
    for (shape, space) in [
        ([batch + 1, num_ws, w_dim], LatentSpace::WPlus),
        ([batch, num_ws - 1, w_dim], LatentSpace::WPlus),
        ([batch, num_ws, w_dim + 1], LatentSpace::WPlus),
        ([batch, num_ws, w_dim], LatentSpace::W),
    ] {
        let error = start(shape, space).unwrap_err();
        assert!(
            matches!(error, InversionError::StartShape { found, .. } if found == shape),
            "{error}"
        );
    }

    let noise = NoiseOptimization {
        start: NoiseStart::Given(vec![Tensor::zeros([1, 1, 4, 4], &device)]),
        ..NoiseOptimization::default()
    };
    let config = InversionConfig {
        noise: Noise::Optimized(noise),
        ..short()
    };
    let error = model.invert(targets(&device), &config).unwrap_err();
    assert!(
        matches!(error, InversionError::NoiseShape { .. }),
        "{error}"
    );
}

#[test]
fn images_too_small_for_the_metric_are_refused() {
    let device = Device::flex();
    let model = Model::with_generator("stylegan2/generator_clamped_gray.safetensors", &device);
    let synthesis = &model.generator.synthesis;
    let side = synthesis.img_resolution();
    let target = Tensor::zeros([1, synthesis.img_channels(), side, side], &device);
    let result = model.invert(target, &short());
    // Another reference generator may be large enough.
    if side < lpips::LpipsNetwork::SqueezeNet.min_size() {
        let error = result.unwrap_err();
        assert!(matches!(error, InversionError::Lpips(_)), "{error}");
    } else {
        assert!(result.is_ok());
    }
}

#[test]
fn settings_are_checked_before_anything_is_computed() {
    let device = Device::flex();
    let model = Model::new(&device);
    let config = InversionConfig {
        learning_rate: 0.0,
        ..short()
    };
    let error = model
        .invert(Tensor::zeros([1, 1, 1, 1], &device), &config)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "learning_rate is 0, expected a number above 0 and at most 1000"
    );
}

#[test]
fn noise_that_a_generator_does_not_have_cannot_be_optimized() {
    let device = Device::flex();
    let model = Model::without_noise(&device);
    let target = Tensor::zeros([1, 3, 32, 32], &device);
    let config = InversionConfig {
        noise: Noise::Optimized(NoiseOptimization::default()),
        ..short()
    };
    let error = model.invert(target, &config).unwrap_err();
    assert!(matches!(error, InversionError::NoNoise), "{error}");
}
