use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use inversion::{InversionConfig, LatentSpace, Noise, Optimizer, Progress, Start, StopReason};
use testkit::{assert_close, relative_l2};

use crate::model::{Model, short, step_of, targets, values};

/// The same network on the same numbers; batches and graphs change the order of sums only.
const ROUNDING: f64 = 1e-5;

#[test]
fn the_best_is_the_least_of_all_and_measures_belong_to_its_image() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device);
    let config = InversionConfig {
        // So large that the last steps are not the best.
        learning_rate: 0.4,
        ..short()
    };
    for (index, result) in model
        .invert(targets.clone(), &config)
        .unwrap()
        .iter()
        .enumerate()
    {
        assert_eq!(result.stop, StopReason::Finished);
        assert_eq!(result.curve.len(), config.steps);
        let least = result
            .curve
            .iter()
            .map(|l| l.total)
            .fold(result.last.losses.total, f64::min);
        let best = &result.best;
        assert!((best.losses.total - least).abs() <= ROUNDING * least);
        if best.step < config.steps {
            assert!((result.curve[best.step].total - least).abs() <= ROUNDING * least);
        }

        let target = values(&targets.clone().narrow(0, index, 1));
        let image = values(&best.image);
        let mse = image
            .iter()
            .zip(&target)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum::<f64>()
            / target.len() as f64;
        assert!((best.losses.mse - mse).abs() <= ROUNDING * mse);
        let byte = |value: &f32| f64::from((value * 127.5 + 128.0) as u8);
        let of_bytes = image
            .iter()
            .zip(&target)
            .map(|(a, b)| (byte(a) - byte(b)).powi(2))
            .sum::<f64>()
            / target.len() as f64;
        // Sums of squares of bytes, in f32.
        assert!((best.psnr - 10.0 * (255.0 * 255.0 / of_bytes).log10()).abs() < 1e-4);
        let again = model
            .generator
            .synthesis
            .forward(best.w_plus.clone(), &stylegan2::NoiseMode::Constant);
        assert_close(
            "image of the best latents",
            &values(&again),
            &image,
            ROUNDING,
        );
        let w_avg = values(&model.generator.mapping.w_avg().unwrap());
        let distance = values(&best.w_plus)
            .chunks(w_avg.len())
            .flat_map(|w| w.iter().zip(&w_avg))
            .map(|(w, avg)| f64::from(w - avg).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((best.w_plus_distance - distance).abs() <= ROUNDING * distance);
    }
}

#[test]
fn an_image_of_the_generator_is_recovered_from_its_own_latents_and_not_moved() {
    let device = Device::flex();
    let model = Model::new(&device);
    let z = stylegan2::latents_from_seeds(&[3], model.generator.mapping.z_dim(), &device);
    let w_plus = model
        .generator
        .mapping
        .forward(z, None, stylegan2::Truncation::psi(1.0));
    let target = model
        .generator
        .synthesis
        .forward(w_plus.clone(), &stylegan2::NoiseMode::Constant);
    let given = InversionConfig {
        steps: 0,
        start: Start::Given(w_plus.clone()),
        ..short()
    };
    let result = &model.invert(target.clone(), &given).unwrap()[0];
    assert_eq!(values(&result.best.w_plus), values(&w_plus));
    // Rounding only: both images come from the same latents.
    assert!(result.best.losses.total < 1e-9, "{:?}", result.best.losses);
    assert!(result.curve.is_empty());

    // The sampling start draws the same latents from seed 3, so it finds them.
    let sampled = InversionConfig {
        steps: 0,
        start: Start::BestOf {
            samples: 4,
            truncation_psi: 1.0,
            seed: 3,
        },
        ..short()
    };
    let result = &model.invert(target, &sampled).unwrap()[0];
    assert_close(
        "sampled start",
        &values(&result.best.w_plus),
        &values(&w_plus),
        ROUNDING,
    );
}

#[test]
fn sampling_never_starts_worse_than_the_mean() {
    let device = Device::flex();
    let model = Model::new(&device);
    let start = |start| InversionConfig {
        steps: 0,
        start,
        ..short()
    };
    let mean = model.invert(targets(&device), &start(Start::WAvg)).unwrap();
    let best_of = Start::BestOf {
        samples: 8,
        truncation_psi: 0.7,
        seed: 0,
    };
    let best = model.invert(targets(&device), &start(best_of)).unwrap();
    for (mean, best) in mean.iter().zip(&best) {
        assert!(best.best.losses.total <= mean.best.losses.total * (1.0 + ROUNDING));
    }
}

#[test]
fn w_moves_all_layers_together_and_w_plus_reaches_further() {
    let device = Device::flex();
    let model = Model::new(&device);
    let steps = 30;
    let in_space = |space| InversionConfig {
        space,
        steps,
        ..short()
    };
    let w = model
        .invert(targets(&device), &in_space(LatentSpace::W))
        .unwrap();
    let w_plus = model
        .invert(targets(&device), &in_space(LatentSpace::WPlus))
        .unwrap();
    let w_dim = model.generator.synthesis.w_dim();
    for (w, w_plus) in w.iter().zip(&w_plus) {
        let latents = values(&w.best.w_plus);
        assert!(
            latents
                .chunks(w_dim)
                .all(|layer| layer == &latents[..w_dim])
        );
        assert!(w.best.losses.total < w.curve[0].total);
        assert!(w_plus.best.losses.total < w.best.losses.total);
    }
}

#[test]
fn the_pull_keeps_latents_near_the_mean() {
    let device = Device::flex();
    let model = Model::new(&device);
    let pulled = |lambda_w_avg| {
        let config = InversionConfig {
            lambda_w_avg,
            steps: 20,
            ..short()
        };
        model.invert(targets(&device), &config).unwrap()[0]
            .last
            .w_plus_distance
    };
    let (free, strong) = (pulled(0.0), pulled(100.0));
    assert!(strong < 0.5 * free, "{strong} against {free}");
}

#[test]
fn noise_modes_are_those_of_the_generator() {
    let device = Device::flex();
    let model = Model::new(&device);
    let with = |noise| {
        let config = InversionConfig {
            steps: 0,
            noise,
            ..short()
        };
        values(
            &model.invert(targets(&device), &config).unwrap()[0]
                .best
                .image,
        )
    };
    let w_plus = model
        .generator
        .synthesis
        .broadcast(model.generator.mapping.w_avg().unwrap().unsqueeze());
    for (noise, mode) in [
        (Noise::Constant, stylegan2::NoiseMode::Constant),
        (Noise::None, stylegan2::NoiseMode::None),
    ] {
        let expected = values(&model.generator.synthesis.forward(w_plus.clone(), &mode));
        assert_close("noise", &with(noise), &expected, ROUNDING);
    }
    assert!(relative_l2(&with(Noise::None), &with(Noise::Constant)) > 1e-3);
}

#[test]
fn gray_generators_are_inverted_too() {
    let device = Device::flex();
    let model = Model::gray(&device);
    let synthesis = &model.generator.synthesis;
    let side = synthesis.img_resolution();
    let shape = [1, synthesis.img_channels(), side, side];
    let target = testkit::seeded("grey target", shape.iter().product(), 0.5);
    let target = Tensor::from_data(burn::tensor::TensorData::new(target, shape), &device);
    let result = &model.invert(target, &short()).unwrap()[0];
    assert_eq!(result.best.image.dims(), shape);
    assert!(result.best.losses.total < result.curve[0].total);
}

#[test]
fn what_is_opaque_is_inverted_as_if_it_had_no_opacity() {
    let device = Device::flex();
    let expected = Model::new(&device)
        .invert(targets(&device), &short())
        .unwrap();
    let opaque = Model::opaque(&device);
    let found = opaque.invert(targets(&device), &short()).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.best.image.dims()[1], 4);
        // Going over white subtracts 1 and adds it again, and Adam makes rounding of small gradients larger.
        let latents = [&found.last.w_plus, &expected.last.w_plus].map(values);
        assert_close("latents", &latents[0], &latents[1], 1e-4);
        assert!((found.best.psnr - expected.best.psnr).abs() < 0.01);
    }
}

#[test]
fn a_generator_with_opacity_is_inverted_into_pictures_over_white() {
    let device = Device::flex();
    let model = Model::with_opacity(&device);
    let synthesis = &model.generator.synthesis;
    let side = synthesis.img_resolution();
    let random = |name: &str, channels: usize| {
        let shape = [1, channels, side, side];
        let values = testkit::seeded(name, shape.iter().product(), 0.5);
        Tensor::<4>::from_data(burn::tensor::TensorData::new(values, shape), &device)
    };
    let rgba = random("target with opacity", 4);
    let over_white = image_tensor::rgb_over_white(rgba.clone());
    let [of_rgba, of_rgb] =
        [rgba, over_white].map(|target| model.invert(target, &short()).unwrap().remove(0));
    assert!(of_rgb.best.losses.total < of_rgb.curve[0].total);
    assert_eq!(values(&of_rgba.best.w_plus), values(&of_rgb.best.w_plus));
    assert_eq!(of_rgba.best.psnr, of_rgb.best.psnr);
    let grey = model.invert(random("grey target", 1), &short());
    assert!(matches!(
        grey,
        Err(inversion::InversionError::TargetShape { .. })
    ));
}

#[test]
fn lbfgs_comes_closer_than_adam_and_an_image_alone_as_in_its_batch() {
    let device = Device::flex();
    let model = Model::new(&device);
    let invert = |optimizer, targets: Tensor<4>| {
        let config = InversionConfig {
            optimizer,
            steps: 30,
            ..short()
        };
        model.invert(targets, &config).unwrap()
    };
    let adam = invert(Optimizer::Adam, targets(&device));
    let lbfgs = invert(Optimizer::Lbfgs, targets(&device));
    for (adam, lbfgs) in adam.iter().zip(&lbfgs) {
        assert!(lbfgs.best.losses.total < adam.best.losses.total);
        assert_eq!(lbfgs.curve.len(), 30);
        assert_eq!(lbfgs.curve[0].total, adam.curve[0].total);
    }
    let alone = invert(Optimizer::Lbfgs, targets(&device).narrow(0, 1, 1));
    // Products of other sizes sum in another order, and line searches make that larger.
    let close = (alone[0].curve[5].total / lbfgs[1].curve[5].total - 1.0).abs();
    assert!(close < 1e-3, "{close}");
}

#[test]
fn networks_on_an_autodiff_device_give_the_same_result() {
    let plain = Device::flex();
    let expected = Model::new(&plain)
        .invert(targets(&plain), &short())
        .unwrap();
    let autodiff = plain.autodiff();
    let found = Model::new(&autodiff)
        .invert(targets(&autodiff), &short())
        .unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(values(&found.last.w_plus), values(&expected.last.w_plus));
        assert!(!found.last.w_plus.device().is_autodiff());
    }
}

#[test]
fn reading_less_often_changes_nothing_but_the_choice_of_the_best() {
    let device = Device::flex();
    let model = Model::new(&device);
    let often = model.invert(targets(&device), &short()).unwrap();
    let mut calls = Vec::new();
    let config = InversionConfig {
        report_every: 4,
        ..short()
    };
    let seldom = inversion::invert_with(
        &model.generator,
        &model.lpips,
        targets(&device),
        &config,
        |progress: &Progress<'_>| {
            calls.push(step_of(progress).step);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(calls, [0, 4, 5]);
    for (seldom, often) in seldom.iter().zip(&often) {
        assert_eq!(seldom.curve, often.curve);
        assert_eq!(values(&seldom.last.w_plus), values(&often.last.w_plus));
        assert!(seldom.best.losses.total >= often.best.losses.total * (1.0 - ROUNDING));
    }
}
