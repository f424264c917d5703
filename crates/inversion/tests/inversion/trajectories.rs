use std::ops::ControlFlow;

use inversion::{
    InversionConfig, Noise, NoiseOptimization, NoiseStart, Progress, Schedule, Start, psnr,
};
use testkit::{assert_close, devices};

use crate::model::{Model, expected, step_of, targets, values};

/// Required of every step's losses, relative to each value. f32 reaches far better at first; Adam divides small
/// gradients by their own size, so rounding grows from step to step.
const LOSS_TOLERANCE: f64 = 1e-4;
/// Required of the latents after the last step.
const LATENT_TOLERANCE: f64 = 1e-3;
/// An image follows its latents, with a factor of order 1.
const IMAGE_TOLERANCE: f64 = 1e-3;

fn assert_each(what: &str, found: &[f64], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let mut worst = 0.0f64;
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - f64::from(*expected)).abs() / f64::from(expected.abs());
        assert!(
            error <= LOSS_TOLERANCE,
            "{what}, value {index}: {found} is {error:.1e} away from {expected}"
        );
        worst = worst.max(error);
    }
    println!("{what}: largest relative error {worst:.1e}");
}

#[test]
fn plain_optimization_follows_the_reference_at_every_step() {
    let golden = expected();
    let [steps, batch] = golden.shape("plain/lpips").try_into().unwrap();
    for (name, device) in devices() {
        let model = Model::new(&device);
        let config = InversionConfig {
            steps,
            learning_rate: 0.05,
            schedule: Schedule::Constant,
            lambda_lpips: 1.0,
            lambda_mse: 1.0,
            start: Start::WAvg,
            ..InversionConfig::default()
        };
        let mut w_plus = Vec::new();
        let keep = |progress: &Progress<'_>| {
            w_plus.push(values(step_of(progress).w_plus));
            ControlFlow::Continue(())
        };
        let results = inversion::invert_with(
            &model.generator,
            &model.lpips,
            targets(&device),
            &config,
            keep,
        )
        .unwrap();

        // Row by row: step, then image.
        let curve = |term: fn(&inversion::LossTerms) -> f64| -> Vec<f64> {
            (0..steps * batch)
                .map(|i| term(&results[i % batch].curve[i / batch]))
                .collect()
        };
        let lpips = golden.values("plain/lpips");
        assert_each(&format!("{name}, LPIPS"), &curve(|l| l.lpips), &lpips);
        assert_each(
            &format!("{name}, MSE"),
            &curve(|l| l.mse),
            &golden.values("plain/mse"),
        );

        let after_step = golden.values("plain/w_plus_after_step");
        let size = after_step.len() / steps;
        let last: Vec<f32> = results
            .iter()
            .flat_map(|r| values(&r.last.w_plus))
            .collect();
        // The callback sees the latents before each update.
        for (step, found) in w_plus[1..].iter().chain([&last]).enumerate() {
            let expected = &after_step[step * size..(step + 1) * size];
            let what = format!("{name}, latents after step {step}");
            assert_close(&what, found, expected, LATENT_TOLERANCE);
        }
        let images: Vec<f32> = results.iter().flat_map(|r| values(&r.last.image)).collect();
        let final_image = golden.values("plain/final_image");
        assert_close(
            &format!("{name}, images"),
            &images,
            &final_image,
            IMAGE_TOLERANCE,
        );
        let psnr: Vec<f64> = results.iter().map(|r| psnr(r.last.losses.mse)).collect();
        assert_each(
            &format!("{name}, PSNR"),
            &psnr,
            &golden.values("plain/psnr"),
        );
        let distance: Vec<f64> = results.iter().map(|r| r.last.w_plus_distance).collect();
        let expected = golden.values("plain/w_plus_distance");
        assert_each(&format!("{name}, distance to w_avg"), &distance, &expected);
    }
}

#[test]
fn the_projector_with_noise_images_follows_the_reference_at_every_step() {
    let golden = expected();
    let steps = golden.shape("projector/distance")[0];
    for (name, device) in devices() {
        let model = Model::new(&device);
        let layers: Vec<String> = model
            .generator
            .synthesis
            .noise_images()
            .into_iter()
            .map(|(layer, _)| layer)
            .collect();
        let start = layers
            .iter()
            .map(|layer| {
                let image = golden.tensor::<2>(&format!("projector/start/{layer}"), &device);
                image.unsqueeze()
            })
            .collect();
        let config = InversionConfig {
            steps,
            learning_rate: 0.1,
            schedule: Schedule::OFFICIAL_RAMP,
            lambda_lpips: 1.0,
            lambda_mse: 1.0,
            start: Start::WAvg,
            noise: Noise::Optimized(NoiseOptimization {
                start: NoiseStart::Given(start),
                ..NoiseOptimization::default()
            }),
            ..InversionConfig::default()
        };
        let mut rates = Vec::new();
        let keep = |progress: &Progress<'_>| {
            rates.push(step_of(progress).learning_rate);
            ControlFlow::Continue(())
        };
        let first = targets(&device).narrow(0, 0, 1);
        let results =
            inversion::invert_with(&model.generator, &model.lpips, first, &config, keep).unwrap();
        let result = &results[0];

        let expected_rates = golden.values("projector/learning_rate");
        for (step, (found, expected)) in rates.iter().zip(&expected_rates).enumerate() {
            // One rounding to f32, and values near 0 at the ends.
            let error = (found - f64::from(*expected)).abs();
            assert!(
                error <= 1e-8,
                "learning rate of step {step}: {found} is not {expected}"
            );
        }
        let distance: Vec<f64> = result.curve.iter().map(|l| l.lpips + l.mse).collect();
        let what = format!("{name}, LPIPS + MSE");
        assert_each(&what, &distance, &golden.values("projector/distance"));
        let noise: Vec<f64> = result
            .curve
            .iter()
            .map(|l| l.noise_regularization)
            .collect();
        let expected = golden.values("projector/noise_regularisation");
        assert_each(&format!("{name}, noise regularization"), &noise, &expected);

        let w_plus = golden.values("projector/final_w_plus");
        let what = format!("{name}, final latents");
        assert_close(
            &what,
            &values(&result.last.w_plus),
            &w_plus,
            LATENT_TOLERANCE,
        );
        let image = golden.values("projector/final_image");
        let what = format!("{name}, final image");
        assert_close(&what, &values(&result.last.image), &image, IMAGE_TOLERANCE);
        for (layer, found) in layers.iter().zip(&result.last.noise_images) {
            let expected = golden.values(&format!("projector/final/{layer}"));
            let what = format!("{name}, final noise of {layer}");
            assert_close(&what, &values(found), &expected, LATENT_TOLERANCE);
        }
    }
}
