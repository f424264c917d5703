use std::ops::ControlFlow;

use burn::tensor::Device;
use inversion::{InversionConfig, InversionError, Progress, StopReason};

use crate::model::{Model, short, targets, values};

fn until(stop: usize) -> impl FnMut(&Progress<'_>) -> ControlFlow<()> {
    move |progress| {
        if progress.step == stop {
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
    let whole = model.invert(targets(&device), &short()).unwrap();
    for stop in [0, 3] {
        let results = inversion::invert(
            &model.generator,
            &model.lpips,
            targets(&device),
            &short(),
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
            // Evaluated once more, without a graph.
            assert!((result.best.losses.total - least).abs() <= 1e-5 * least);
        }
    }
}

#[test]
fn a_loss_that_becomes_infinite_ends_with_the_best_before_it() {
    let device = Device::flex();
    let model = Model::new(&device);
    let config = InversionConfig {
        // One step of this size takes the styles, and with them the image, beyond f32.
        learning_rate: 1e38,
        ..short()
    };
    for result in model.invert(targets(&device), &config).unwrap() {
        assert!(
            matches!(result.stop, StopReason::NonFiniteLoss { step: 1.. }),
            "{:?}",
            result.stop
        );
        assert!(result.best.losses.total.is_finite());
        assert_eq!(values(&result.last.w_plus), values(&result.best.w_plus));
        assert!(values(&result.best.image).iter().all(|v| v.is_finite()));
    }
}

#[test]
fn a_target_that_is_not_finite_is_an_error_that_names_it() {
    let device = Device::flex();
    let model = Model::new(&device);
    let bad = targets(&device);
    let bad = bad.clone().slice_fill([1..2, 0..1, 0..1, 0..1], f32::NAN);
    let error = model.invert(bad.clone(), &short()).unwrap_err();
    assert!(
        matches!(error, InversionError::NonFiniteLoss { image: 1, step: 0 }),
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
