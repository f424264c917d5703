use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::{Checkpoint, StoredTensor};
use vision_aided_finetune::{Adam, AdamOptions, ExponentialMovingAverage};

use crate::values;

#[derive(Module, Debug)]
struct Weights {
    matrix: Param<Tensor<2>>,
    unused: Param<Tensor<1>>,
    frozen: Param<Tensor<1>>,
}

fn weights(device: &Device) -> Weights {
    let vector = |values: [f32; 2]| Param::from_data(TensorData::from(values), device);
    Weights {
        matrix: Param::from_data(TensorData::from([[1.0, -2.0], [0.5, 4.0]]), device),
        unused: vector([3.0, 5.0]),
        frozen: vector([7.0, 9.0]).set_require_grad(false),
    }
    .train()
}

/// A loss whose gradient in the matrix is `gradient`.
fn step(adam: &mut Adam, module: Weights, gradient: [[f32; 2]; 2]) -> Weights {
    let gradient =
        Tensor::<2>::from_data(TensorData::from(gradient), &module.matrix.val().device());
    let loss = (module.matrix.val() * gradient.detach()).sum() + module.frozen.val().sum();
    adam.step(module, &loss.backward())
}

/// Algorithm 1 of the paper in f64.
fn expected(options: AdamOptions, start: f64, gradients: &[f64]) -> f64 {
    let (mut m, mut v, mut x) = (0.0, 0.0, start);
    for (index, g) in gradients.iter().enumerate() {
        let t = index as i32 + 1;
        m = options.beta_1 * m + (1.0 - options.beta_1) * g;
        v = options.beta_2 * v + (1.0 - options.beta_2) * g * g;
        let m_hat = m / (1.0 - options.beta_1.powi(t));
        let v_hat: f64 = v / (1.0 - options.beta_2.powi(t));
        x -= options.learning_rate * m_hat / (v_hat.sqrt() + options.epsilon);
    }
    x
}

#[test]
fn steps_are_those_of_the_papers_algorithm() {
    for (_, device) in testkit::devices() {
        for beta_1 in [0.0, 0.9] {
            let options = AdamOptions {
                learning_rate: 0.1,
                beta_1,
                ..AdamOptions::default()
            };
            let mut adam = Adam::new(options);
            let mut module = weights(&device);
            let gradients = [
                [[0.3, -1.0], [20.0, 0.0]],
                [[-0.1, 2.0], [1e-3, 0.0]],
                [[0.7, 0.1], [5.0, 1.0]],
            ];
            for gradient in gradients {
                module = step(&mut adam, module, gradient);
            }
            let found = values(module.matrix.val());
            for (index, start) in [1.0, -2.0, 0.5, 4.0].into_iter().enumerate() {
                let series: Vec<f64> = gradients
                    .iter()
                    .map(|g| f64::from(g[index / 2][index % 2]))
                    .collect();
                let expected = expected(options, start, &series);
                // f32 rounding of a few operations on values near 4.
                assert!(
                    (f64::from(found[index]) - expected).abs() < 2e-6,
                    "{index}: {} {expected}",
                    found[index]
                );
            }
            // No gradient is gradient 0; frozen parameters do not move whatever their gradient.
            assert_eq!(values(module.unused.val()), [3.0, 5.0]);
            assert_eq!(values(module.frozen.val()), [7.0, 9.0]);
            assert_eq!(adam.steps(), 3);
        }
    }
}

#[test]
fn gradients_that_are_no_numbers_count_as_zero_and_infinite_ones_as_large() {
    for (_, device) in testkit::devices() {
        let options = AdamOptions {
            learning_rate: 0.1,
            ..AdamOptions::default()
        };
        let infinity = f32::INFINITY;
        let mut adam = Adam::new(options);
        let module = step(
            &mut adam,
            weights(&device),
            [[f32::NAN, infinity], [-infinity, 1.0]],
        );
        let found = values(module.matrix.val());
        // The first step of Adam is the learning rate against the gradient's sign.
        for (found, expected) in found.iter().zip([1.0, -2.1, 0.6, 3.9]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn saved_moments_continue_the_same_series() {
    let device = testkit::devices().remove(0).1;
    let options = AdamOptions {
        beta_1: 0.5,
        ..AdamOptions::default()
    };
    let gradient = |k: f32| [[0.3 * k, -1.0], [2.0 - k, 0.25]];
    let mut adam = Adam::new(options);
    let mut module = weights(&device);
    for k in 0..3 {
        module = step(&mut adam, module, gradient(k as f32));
    }
    let restore = |tensors, steps| {
        let file = Checkpoint::from_tensors("memory", tensors, BTreeMap::new());
        Adam::from_tensors(options, steps, &weights(&device), &file, "adam.", &device)
    };
    let mut restored = restore(adam.tensors("adam."), adam.steps()).unwrap();
    let straight = step(&mut adam, module.clone(), gradient(3.0));
    let resumed = step(&mut restored, module, gradient(3.0));
    assert_eq!(values(straight.matrix.val()), values(resumed.matrix.val()));

    assert_eq!(restore(BTreeMap::new(), 0).unwrap().steps(), 0);
    let refused = |edit: &dyn Fn(&mut BTreeMap<String, StoredTensor>)| {
        let mut tensors = adam.tensors("adam.");
        edit(&mut tensors);
        restore(tensors, 3).unwrap_err().to_string()
    };
    let message = refused(&|tensors| {
        tensors.remove("adam.second.matrix");
    });
    assert!(
        message.contains("second.matrix") && message.contains("found none"),
        "{message}"
    );
    // Both moments are gone: the parameter would silently start anew.
    let message = refused(&|tensors| tensors.retain(|name, _| !name.ends_with("matrix")));
    assert!(message.contains("first.matrix"), "{message}");
    // Of the same length as each other, but not as the parameter.
    let message = refused(&|tensors| {
        for name in ["adam.first.matrix", "adam.second.matrix"] {
            tensors.insert(name.into(), StoredTensor::from_f32(vec![3], &[0.0; 3]));
        }
    });
    assert!(
        message.contains("[3]") && message.contains("[4]"),
        "{message}"
    );
    // A parameter that does not train has none.
    let message = refused(&|tensors| {
        for name in ["adam.first.frozen", "adam.second.frozen"] {
            tensors.insert(name.into(), StoredTensor::from_f32(vec![2], &[0.0; 2]));
        }
    });
    assert!(message.contains("first.frozen"), "{message}");
}

#[test]
fn the_average_follows_trained_parameters_and_copies_buffers() {
    for (_, device) in testkit::devices() {
        let module = weights(&device);
        let start = Weights {
            matrix: Param::from_data(TensorData::from([[0.0, 0.0], [0.0, 0.0]]), &device),
            unused: Param::from_data(TensorData::from([0.0, 0.0]), &device),
            frozen: Param::from_data(TensorData::from([0.0, 0.0]), &device),
        };
        let average = ExponentialMovingAverage {
            kimg: 0.016,
            rampup: None,
        };
        // A batch of 16 with a half-life of 16 images: half way.
        let found = average.update(start.valid(), &module, 1_000, 16);
        assert_eq!(values(found.matrix.val()), [0.5, -1.0, 0.25, 2.0]);
        assert_eq!(values(found.frozen.val()), [7.0, 9.0]);
    }
}
