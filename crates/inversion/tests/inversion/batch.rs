use burn::tensor::{Device, Tensor};
use inversion::{
    EarlyStopping, Inversion, InversionConfig, Noise, NoiseOptimization, Perturbation, Start,
};
use testkit::{assert_close, devices};

use crate::model::{Model, short, targets, values};

/// A batch and a single image differ by the order of summation inside the kernels; Adam's first steps have the size of
/// the learning rate whatever the gradient's, so a rounding error of a gradient near 0 can show in single numbers of
/// the latents.
const ROUNDING: f64 = 1e-4;

/// Three different images, whatever number of targets the reference has.
fn three_targets(device: &Device) -> Tensor<4> {
    let given = targets(device);
    let first = given.clone().narrow(0, 0, 1);
    let last = given.clone().narrow(0, given.dims()[0] - 1, 1);
    Tensor::cat(vec![first.clone(), last.flip([2]), first.flip([3])], 0)
}

fn assert_same(what: &str, batch: &Inversion, alone: &Inversion) {
    assert_eq!(batch.stop, alone.stop, "{what}");
    assert_eq!(batch.curve.len(), alone.curve.len(), "{what}");
    for (step, (batch, alone)) in batch.curve.iter().zip(&alone.curve).enumerate() {
        let error = (batch.total - alone.total).abs() / alone.total;
        assert!(error <= ROUNDING, "{what}, step {step}: {error:.1e} apart");
    }
    let (batch_w, alone_w) = (values(&batch.last.w_plus), values(&alone.last.w_plus));
    assert_close(what, &batch_w, &alone_w, ROUNDING);
    assert_close(
        what,
        &values(&batch.best.image),
        &values(&alone.best.image),
        ROUNDING,
    );
    assert_eq!(batch.best.step, alone.best.step, "{what}");
    for (batch, alone) in batch.last.noise_images.iter().zip(&alone.last.noise_images) {
        assert_close(what, &values(batch), &values(alone), ROUNDING);
    }
}

/// Inverts three targets together and each alone.
fn compare(what: &str, config: &InversionConfig) -> Vec<Inversion> {
    let mut last = Vec::new();
    for (name, device) in devices() {
        let model = Model::new(&device);
        let targets = three_targets(&device);
        let together = model.invert(targets.clone(), config).unwrap();
        assert_eq!(together.len(), 3);
        for (image, batch) in together.iter().enumerate() {
            let alone = model
                .invert(targets.clone().narrow(0, image, 1), config)
                .unwrap();
            assert_same(&format!("{what}, {name}, image {image}"), batch, &alone[0]);
        }
        last = together;
    }
    last
}

#[test]
fn every_image_of_a_batch_is_optimized_as_if_alone() {
    let results = compare("plain", &short());
    let first = values(&results[0].last.w_plus);
    assert!(
        testkit::relative_l2(&values(&results[1].last.w_plus), &first) > 0.01,
        "different targets have different latents"
    );
}

#[test]
fn options_do_not_mix_images_either() {
    let config = InversionConfig {
        start: Start::BestOf {
            samples: 5,
            truncation_psi: 0.7,
            seed: 1,
        },
        noise: Noise::Optimized(NoiseOptimization::default()),
        perturbation: Some(Perturbation {
            w_std_samples: 100,
            ..Perturbation::default()
        }),
        lambda_w_avg: 0.01,
        ..short()
    };
    compare("all options", &config);
}

/// Matrix products choose their order of summation by their size, so that only batches of one size round alike.
#[test]
fn an_image_has_the_same_bits_in_every_batch_of_one_size() {
    let device = Device::flex();
    let model = Model::new(&device);
    let targets = three_targets(&device);
    let invert = |images: [usize; 3]| {
        let rows = images.map(|image| targets.clone().narrow(0, image, 1));
        model.invert(Tensor::cat(rows.into(), 0), &short()).unwrap()
    };
    let expected = invert([0, 1, 2]);
    for images in [[2, 0, 1], [1, 1, 1], [0, 2, 2]] {
        for (found, image) in invert(images).iter().zip(images) {
            let expected = &expected[image];
            assert_eq!(found.curve, expected.curve, "{images:?}");
            assert_eq!(found.best.losses, expected.best.losses, "{images:?}");
            assert_eq!(
                values(&found.best.w_plus),
                values(&expected.best.w_plus),
                "{images:?}"
            );
        }
    }
}

#[test]
fn an_image_that_stops_early_leaves_the_others_alone() {
    const PATIENCE: usize = 3;
    let device = Device::flex();
    let whole = InversionConfig {
        steps: 3 * PATIENCE,
        ..short()
    };
    // How far each image gets within the patience tells a threshold that some images miss and others reach, clear of
    // both.
    let reached: Vec<f64> = Model::new(&device)
        .invert(three_targets(&device), &whole)
        .unwrap()
        .iter()
        .map(|result| {
            let totals: Vec<f64> = result.curve.iter().map(|l| l.total).collect();
            totals[1..=PATIENCE]
                .iter()
                .copied()
                .fold(f64::INFINITY, f64::min)
                / totals[0]
        })
        .collect();
    let least = reached.iter().copied().fold(f64::INFINITY, f64::min);
    let most = reached.iter().copied().fold(0.0, f64::max);
    // A loss that rises at first is no improvement at any threshold.
    let threshold = ((least + most) / 2.0).min(1.0);
    let config = InversionConfig {
        early_stopping: Some(EarlyStopping {
            patience: PATIENCE,
            min_improvement: 1.0 - threshold,
        }),
        ..whole
    };
    let results = compare("early stopping", &config);
    for (result, reached) in results.iter().zip(&reached) {
        let stops_first = *reached > threshold;
        assert_eq!(result.curve.len() == PATIENCE + 1, stops_first, "{reached}");
    }
}
