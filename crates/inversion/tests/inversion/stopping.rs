use std::ops::ControlFlow;

use burn::tensor::Device;
use inversion::{
    EarlyStopping, InversionConfig, InversionError, Perturbation, Progress, Start, StopReason,
};

use crate::model::{Model, short, step_of, targets};

fn until(stop: usize) -> impl FnMut(&Progress<'_>) -> ControlFlow<()> {
    move |progress| {
        if step_of(progress).step == stop {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn cancelling_returns_the_best_so_far() {
    let device = Device::flex();
    let model = Model::new(&device);
    let perturbed = InversionConfig {
        perturbation: Some(Perturbation {
            initial_factor: 0.5,
            w_std_samples: 100,
            ..Perturbation::default()
        }),
        ..short()
    };
    for config in [short(), perturbed] {
        let whole = model.invert(targets(&device), &config).unwrap();
        for stop in [0, 3] {
            let results = inversion::invert_with(
                &model.generator,
                &model.lpips,
                targets(&device),
                &config,
                until(stop),
            )
            .unwrap();
            for (result, whole) in results.iter().zip(&whole) {
                assert_eq!(result.stop, StopReason::Cancelled { step: stop });
                assert_eq!(result.curve, whole.curve[..=stop]);
                assert_eq!(result.last.step, stop);
                let least = result
                    .curve
                    .iter()
                    .map(|l| l.total)
                    .fold(f64::INFINITY, f64::min);
                // The last latents, which no perturbation moves, may be better than all that were tried.
                let least = least.min(result.last.losses.total);
                // Evaluated once more, without a graph.
                assert!((result.best.losses.total - least).abs() <= 1e-5 * least);
            }
        }
    }
}

#[test]
fn the_choice_of_a_start_is_reported_and_may_be_cut_short() {
    let device = Device::flex();
    let model = Model::new(&device);
    let config = InversionConfig {
        start: Start::BestOf {
            // More than are compared in one pass.
            samples: 100,
            truncation_psi: 0.7,
            seed: 1,
        },
        ..short()
    };
    let mut heard = Vec::new();
    let results = inversion::invert_with(
        &model.generator,
        &model.lpips,
        targets(&device),
        &config,
        |progress| match progress {
            Progress::Start { chosen, samples } => {
                heard.push((*chosen, *samples));
                ControlFlow::Break(())
            }
            _ => panic!("a step after the search was cancelled"),
        },
    )
    .unwrap();
    // The mean latent is compared too.
    assert!(
        matches!(heard[..], [(chosen, 101)] if (1..101).contains(&chosen)),
        "{heard:?}"
    );
    for result in results {
        assert_eq!(result.stop, StopReason::Cancelled { step: 0 });
        assert!(result.curve.is_empty());
        assert!(result.best.losses.total.is_finite());
    }
}

#[test]
fn every_report_is_of_images_that_were_optimized() {
    let device = Device::flex();
    let model = Model::new(&device);
    for report_every in [1, 4] {
        let config = InversionConfig {
            steps: 40,
            report_every,
            // No step improves this much, so that every image stops as soon as it may.
            early_stopping: Some(EarlyStopping {
                patience: 2,
                min_improvement: 1.0,
            }),
            ..short()
        };
        let mut steps = Vec::new();
        let results = inversion::invert_with(
            &model.generator,
            &model.lpips,
            targets(&device),
            &config,
            |progress| {
                let step = step_of(progress);
                assert!(!step.active.is_empty());
                assert_eq!(step.losses.len(), step.active.len());
                assert_eq!(step.w_plus.dims()[0], step.active.len());
                steps.push(step.step);
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        let last = *steps.last().unwrap();
        assert!(last >= 2 && last < 2 + report_every, "{steps:?}");
        for result in results {
            assert_eq!(result.stop, StopReason::EarlyStopping { step: last + 1 });
            assert_eq!(result.curve.len(), last + 1);
            assert_eq!(result.last.step, last + 1);
        }
    }
}

#[test]
fn a_target_that_is_not_finite_is_an_error_that_names_it() {
    let device = Device::flex();
    let model = Model::new(&device);
    let bad = targets(&device);
    let last = bad.dims()[0] - 1;
    let bad = bad
        .clone()
        .slice_fill([last..last + 1, 0..1, 0..1, 0..1], f32::NAN);
    let error = model.invert(bad.clone(), &short()).unwrap_err();
    assert!(
        matches!(error, InversionError::NonFiniteLoss { image, step: 0 } if image == last),
        "{error}"
    );
    let none = InversionConfig {
        steps: 0,
        ..short()
    };
    let error = model.invert(bad, &none).unwrap_err();
    assert!(
        matches!(error, InversionError::NonFiniteLoss { image: 1, .. }),
        "{error}"
    );
}
