//! Refinement of features, tuning of weights, and the prior in P.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use feature_stats::{MeanCovariance, Ridge};
use inversion::{
    InversionConfig, InversionError, LatentPrior, Locality, Progress, RefinementConfig, Schedule,
    StopReason, TuningConfig, refine, refine_with, tune,
};
use ndarray::{Array1, Array2};
use stylegan2::NoiseMode;
use testkit::{assert_close, seeded};

use crate::model::{Model, short, targets, values};

fn pivots(model: &Model, targets: Tensor<4>) -> Tensor<3> {
    let found = model.invert(targets, &short()).unwrap();
    Tensor::cat(found.into_iter().map(|i| i.best.w_plus).collect(), 0)
}

fn few_steps() -> RefinementConfig {
    RefinementConfig {
        steps: 8,
        schedule: Schedule::Constant,
        ..RefinementConfig::default()
    }
}

#[test]
fn an_offset_brings_the_image_closer_and_gives_the_image_it_says() {
    for (name, device) in testkit::devices() {
        let model = Model::new(&device);
        let targets = targets(&device);
        let w_plus = pivots(&model, targets.clone());
        let noise = NoiseMode::Constant;
        let found = refine(
            &model.generator,
            &model.lpips,
            targets.clone(),
            w_plus.clone(),
            &noise,
            &few_steps(),
        )
        .unwrap();
        for (row, refined) in found.iter().enumerate() {
            let first = refined.curve[0];
            assert!(
                refined.losses.total < 0.99 * first.total,
                "{name}: {first:?}"
            );
            assert_eq!(first.offset_pull, 0.0);
            assert!(refined.losses.offset_pull > 0.0);
            assert_eq!(refined.stop, StopReason::Finished);
            let side = model.generator.synthesis.img_resolution() / 4;
            assert_eq!(refined.offset.resolution, side);
            let again = model.generator.synthesis.forward_with_offset(
                w_plus.clone().narrow(0, row, 1),
                &noise,
                &refined.offset,
            );
            // The same operations, in batches of other sizes.
            assert_close(name, &values(&again), &values(&refined.image), 1e-5);
        }
    }
}

#[test]
fn images_are_refined_as_if_alone_and_where_the_mask_says() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device);
    let w_plus = pivots(&model, targets.clone());
    let run = |targets: Tensor<4>, w_plus: Tensor<3>, mask_level: f32| {
        let config = RefinementConfig {
            mask_level,
            ..few_steps()
        };
        let noise = NoiseMode::Constant;
        refine(
            &model.generator,
            &model.lpips,
            targets,
            w_plus,
            &noise,
            &config,
        )
        .unwrap()
    };
    let all = run(targets.clone(), w_plus.clone(), 0.3);
    let last = all.len() - 1;
    let alone = run(
        targets.narrow(0, last, 1),
        w_plus.clone().narrow(0, last, 1),
        0.3,
    );
    // Eight steps of Adam, which divides small gradients by their size.
    assert_close(
        "alone",
        &values(&alone[0].offset.values),
        &values(&all[last].offset.values),
        1e-3,
    );
    let [_, channels, height, width] = all[0].offset.values.dims();
    let (offset, mask) = (values(&all[0].offset.values), values(&all[0].mask));
    assert!(mask.iter().all(|m| (0.0..=1.0).contains(m)));
    assert!(mask.iter().any(|m| *m < 1.0));
    let plane = height * width;
    let most = (0..plane).map(|cell| {
        let of_cell = (0..channels).map(|channel| offset[channel * plane + cell].abs());
        of_cell.fold(0.0f32, f32::max) / mask[cell].max(1e-6)
    });
    let most: Vec<f32> = most.collect();
    let largest = most.iter().copied().fold(0.0f32, f32::max);
    // The offset is the mask times the root mean square of the features times what Adam moved. Of its first eight steps
    // none is longer than 1.03 rates (Cauchy and Schwarz, with betas of 0.9 and 0.999); 1.1 leaves room for rounding.
    let block =
        model
            .generator
            .synthesis
            .forward_to(height, w_plus.narrow(0, 0, 1), &NoiseMode::Constant);
    let size = block
        .features
        .powi_scalar(2)
        .mean()
        .into_scalar::<f32>()
        .sqrt();
    let bound = 1.1 * 8.0 * few_steps().learning_rate as f32 * size;
    assert!(largest > 0.0 && largest <= bound, "{largest} {bound}");
}

#[test]
fn a_refinement_can_be_ended_and_keeps_its_best() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device).narrow(0, 0, 1);
    let w_plus = pivots(&model, targets.clone());
    let stop = |progress: &Progress<'_>| match progress {
        Progress::Step(step) if step.step == 3 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let noise = NoiseMode::Constant;
    let config = few_steps();
    let found = refine_with(
        &model.generator,
        &model.lpips,
        targets,
        w_plus,
        &noise,
        &config,
        stop,
    )
    .unwrap();
    assert_eq!(found[0].stop, StopReason::Cancelled { step: 3 });
    assert!(found[0].step <= 3);
    let least = found[0]
        .curve
        .iter()
        .map(|l| l.total)
        .fold(f64::MAX, f64::min);
    // The same offset again; the losses of one image in a batch of the same size.
    assert!((found[0].losses.total - least).abs() < 1e-6 * least);
}

#[test]
fn blocks_and_latents_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device).narrow(0, 0, 1);
    let w_plus = pivots(&model, targets.clone());
    let noise = NoiseMode::Constant;
    let refused = |block: usize, w_plus: Tensor<3>| {
        let config = RefinementConfig {
            block: Some(block),
            ..few_steps()
        };
        refine(
            &model.generator,
            &model.lpips,
            targets.clone(),
            w_plus,
            &noise,
            &config,
        )
        .unwrap_err()
    };
    let last = model.generator.synthesis.img_resolution();
    for block in [0, 5, last, 2 * last] {
        let error = refused(block, w_plus.clone());
        assert!(matches!(error, InversionError::NoSuchBlock { found, .. } if found == block));
    }
    let short = w_plus.clone().narrow(1, 0, 1);
    assert!(matches!(
        refused(4, short),
        InversionError::LatentShape { .. }
    ));
    let config = RefinementConfig {
        mask_level: f32::NAN,
        ..few_steps()
    };
    assert!(matches!(
        config.validate(),
        Err(InversionError::Setting { .. })
    ));
}

fn little_tuning() -> TuningConfig {
    TuningConfig {
        steps: 12,
        schedule: Schedule::Constant,
        locality: Locality {
            samples: 6,
            batch: 3,
            every: 1,
            ..TuningConfig::default().locality
        },
        bytes: 20_000,
        batch: 2,
        ..TuningConfig::default()
    }
}

#[test]
fn tuning_brings_images_closer_and_its_file_gives_them() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device);
    let w_plus = pivots(&model, targets.clone());
    let noise = NoiseMode::Constant;
    let run = |config: &TuningConfig| {
        tune(
            &model.generator,
            &model.lpips,
            targets.clone(),
            w_plus.clone(),
            &noise,
            config,
        )
        .unwrap()
    };
    let before = model.generator.synthesis.forward(w_plus.clone(), &noise);
    let tuned = run(&little_tuning());
    let error = |images: Tensor<4>| {
        let apart = images - targets.clone();
        (apart.clone() * apart).mean().into_scalar::<f32>()
    };
    assert!(error(tuned.images.clone()) < error(before));
    let total = tuned.losses.iter().map(|l| l.total).sum::<f64>() / tuned.losses.len() as f64;
    assert!(
        total < 0.99 * tuned.curve[0].total,
        "{total} {:?}",
        tuned.curve[0]
    );
    let changed = model.generator.with_changes(&tuned.delta.weights);
    let again = changed.synthesis.forward(w_plus.clone(), &noise);
    assert_close("again", &values(&again), &values(&tuned.images), 1e-5);
    // What keeps other images does keep them.
    let mut free = little_tuning();
    free.locality.lambda = 0.0;
    let free = run(&free);
    assert!(
        tuned.moved > 0.0 && tuned.moved < free.moved,
        "{} {}",
        tuned.moved,
        free.moved
    );
    let none = TuningConfig {
        bytes: 100,
        ..little_tuning()
    };
    let refused = tune(
        &model.generator,
        &model.lpips,
        targets.clone(),
        w_plus.clone(),
        &noise,
        &none,
    );
    assert!(matches!(
        refused,
        Err(InversionError::NoRank { bytes: 100 })
    ));
}

#[test]
fn the_prior_is_the_squared_mahalanobis_length_in_p() {
    const D: usize = 5;
    let device = Device::flex();
    let root = Array2::from_shape_vec((D, D), seeded("root", D * D, 1.0)).unwrap();
    let root = root.mapv(f64::from);
    let covariance = root.dot(&root.t()) + Array2::<f64>::eye(D);
    let mean: Array1<f64> = seeded("mean", D, 1.0).into_iter().map(f64::from).collect();
    let statistics = MeanCovariance::new(mean.clone(), covariance.clone()).unwrap();
    let prior = LatentPrior::new(&statistics, Ridge::NONE, 5.0, &device).unwrap();
    let w = seeded("w", 2 * 3 * D, 1.0);
    let found = prior.pull(Tensor::from_data(
        TensorData::new(w.clone(), [2, 3, D]),
        &device,
    ));
    // x^T C^-1 x by Gaussian density: independent of the whitening's factor.
    let gaussian = feature_stats::Gaussian::new(&statistics, Ridge::NONE).unwrap();
    let p: Vec<f64> = w
        .iter()
        .map(|v| f64::from(if *v < 0.0 { 5.0 * v } else { *v }))
        .collect();
    let rows = Array2::from_shape_vec((6, D), p).unwrap();
    let lengths = gaussian.log_densities(rows.view()).unwrap();
    let lengths = lengths.mapv(|density| -2.0 * (density - gaussian.log_normalizer()));
    let expected: Vec<f32> = lengths
        .as_slice()
        .unwrap()
        .chunks(3)
        .map(|layers| (layers.iter().sum::<f64>() / (3 * D) as f64) as f32)
        .collect();
    // Sums of 15 squares in f32, of products with a factor of condition below 10.
    assert_close("pull", &values(&found), &expected, 1e-5);
}

#[test]
fn random_latents_have_a_pull_of_one() {
    let device = Device::flex();
    let model = Model::new(&device);
    let prior = LatentPrior::of(&model.generator).unwrap();
    let mapping = &model.generator.mapping;
    let count = 2000;
    let z =
        stylegan2::latents_from_seeds(&(0..count).collect::<Vec<u32>>(), mapping.z_dim(), &device);
    let w: Tensor<3> = mapping.w(z, None).unsqueeze_dim(1);
    let mean = prior.pull(w).mean().into_scalar::<f32>();
    // The ridge takes a little off; 2000 samples of w_dim numbers vary by less than this.
    assert!((mean - 1.0).abs() < 0.1, "{mean}");
}

#[test]
fn the_prior_keeps_latents_likely() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = targets(&device);
    let prior = LatentPrior::of(&model.generator).unwrap();
    let pull = |lambda_prior: f32| {
        let config = InversionConfig {
            steps: 20,
            lambda_prior,
            ..InversionConfig::default()
        };
        let found = model.invert(targets.clone(), &config).unwrap();
        let w_plus = Tensor::cat(found.iter().map(|i| i.last.w_plus.clone()).collect(), 0);
        let pulls = prior.pull(w_plus);
        let reported: Vec<f32> = found.iter().map(|i| i.last.losses.prior as f32).collect();
        (values(&pulls), reported)
    };
    let (free, unreported) = pull(0.0);
    let (kept, reported) = pull(0.1);
    assert!(unreported.iter().all(|v| *v == 0.0));
    assert_close("reported", &reported, &kept, 1e-5);
    for (kept, free) in kept.iter().zip(&free) {
        assert!(kept < free, "{kept} {free}");
    }
}
