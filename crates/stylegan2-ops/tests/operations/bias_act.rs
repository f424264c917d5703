use burn::tensor::{DType, Device, Tensor};
use stylegan2_ops::{Activation, BiasAct, bias_act};
use testkit::{assert_close, assert_gradient, devices};

use crate::{reference, seeded, values};

/// A few roundings each of 2^-24, and exponentials good to a few more.
const VALUES: f64 = 1e-6;

/// As [`VALUES`]; derivatives from results, such as 1 - y^2, lose a digit where the activation is flat, and wgpu's own
/// exponentials and tanh another.
const GRADIENTS: f64 = 1e-5;

const ACTIVATIONS: [Activation; 9] = [
    Activation::Linear,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Elu,
    Activation::Selu,
    Activation::Softplus,
    Activation::Swish,
];

/// Every activation with its own gain and with another, with and without a clamp that some values reach.
fn option_sets() -> Vec<BiasAct> {
    let mut sets = Vec::new();
    for activation in ACTIVATIONS {
        for gain in [None, Some(-0.7)] {
            for clamp in [None, Some(0.6)] {
                sets.push(BiasAct {
                    activation,
                    gain,
                    clamp,
                    ..BiasAct::default()
                });
            }
        }
    }
    sets
}

#[test]
fn what_is_no_number_stays_none() {
    let device = Device::flex();
    for activation in ACTIVATIONS {
        let options = BiasAct {
            activation,
            ..BiasAct::default()
        };
        let x = Tensor::<2>::from_floats([[f32::NAN, 1.0]], &device);
        let y: Vec<f32> = bias_act(x, None, options)
            .into_data()
            .iter::<f32>()
            .collect();
        assert!(y[0].is_nan() && !y[1].is_nan(), "{activation:?}: {y:?}");
    }
}

#[test]
fn activations_have_their_textbook_values() {
    let exp = |v: f64| v.exp();
    for (name, device) in devices() {
        for (activation, expected) in [
            (Activation::Linear, [-1.0, 0.0, 2.0]),
            (Activation::Relu, [0.0, 0.0, 2.0]),
            (Activation::LeakyRelu, [-0.2, 0.0, 2.0]),
            (Activation::Tanh, [(-1f64).tanh(), 0.0, 2f64.tanh()]),
            (
                Activation::Sigmoid,
                [1.0 / (1.0 + exp(1.0)), 0.5, 1.0 / (1.0 + exp(-2.0))],
            ),
            (Activation::Elu, [exp(-1.0) - 1.0, 0.0, 2.0]),
            (
                Activation::Selu,
                // lambda and alpha of Klambauer et al. 2017
                [
                    1.0507009873554805 * 1.6732632423543772 * (exp(-1.0) - 1.0),
                    0.0,
                    2.0 * 1.0507009873554805,
                ],
            ),
            (
                Activation::Softplus,
                [exp(-1.0).ln_1p(), 2f64.ln(), exp(2.0).ln_1p()],
            ),
            (
                Activation::Swish,
                [-1.0 / (1.0 + exp(1.0)), 0.0, 2.0 / (1.0 + exp(-2.0))],
            ),
        ] {
            let options = BiasAct {
                activation,
                gain: Some(1.0),
                ..BiasAct::default()
            };
            let x = Tensor::<2>::from_data([[-2.0, -1.0, 1.0]], &device);
            let bias = Tensor::<1>::ones([3], &device);
            let y = values(bias_act(x, Some(bias), options));
            for (y, expected) in y.iter().zip(expected) {
                assert!(
                    (f64::from(*y) - expected).abs() <= 1e-6,
                    "{name}, {activation:?}: {y}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn the_gain_comes_before_the_clamp() {
    for (_, device) in devices() {
        let options = BiasAct {
            gain: Some(3.0),
            clamp: Some(4.0),
            ..BiasAct::default()
        };
        let x = Tensor::<2>::from_data([[-2.0, -1.0, 0.0, 1.0, 2.0]], &device);
        assert_eq!(
            values(bias_act(x, None, options)),
            [-4.0, -3.0, 0.0, 3.0, 4.0]
        );
    }
}

#[test]
fn large_inputs_stay_finite() {
    for (name, device) in devices() {
        for activation in ACTIVATIONS {
            let options = BiasAct {
                activation,
                ..BiasAct::default()
            };
            let device = device.clone().autodiff();
            let x = Tensor::<2>::from_data([[-200.0, -20.0, 20.0, 200.0]], &device).require_grad();
            let y = bias_act(x.clone(), None, options);
            let gradient = x.grad(&y.clone().sum().backward()).unwrap();
            for value in values(y).into_iter().chain(values(gradient)) {
                assert!(value.is_finite(), "{name}, {activation:?}: {value}");
            }
        }
    }
}

/// Value and both gradients against the composition of Burn's operations.
fn assert_as_reference<const D: usize>(
    what: &str,
    device: &Device,
    shape: [usize; D],
    sets: &[BiasAct],
) {
    for &options in sets {
        let run = |fast: bool, biased: bool| {
            // The reference runs on the processor: its many small operations are slow on a software GPU.
            let device = if fast { device } else { &Device::flex() };
            let device = device.clone().autodiff();
            let x = seeded("reference/x", shape, &device).require_grad();
            let bias = seeded("reference/bias", [shape[1]], &device).require_grad();
            let given = biased.then(|| bias.clone());
            let y = if fast {
                bias_act(x.clone(), given, options)
            } else {
                reference::bias_act(x.clone(), given, options)
            };
            let probe = seeded("reference/probe", shape, &device);
            let gradients = (y.clone() * probe).sum().backward();
            let bias_gradient = bias.grad(&gradients).map(values);
            (
                values(y),
                values(x.grad(&gradients).unwrap()),
                bias_gradient,
            )
        };
        for biased in [true, false] {
            let what = format!("{what}, {shape:?}, bias {biased}, {options:?}");
            let (y, x_gradient, bias_gradient) = run(true, biased);
            let (expected_y, expected_x_gradient, expected_bias_gradient) = run(false, biased);
            assert_close(&what, &y, &expected_y, VALUES);
            assert_close(
                &format!("gradient of x: {what}"),
                &x_gradient,
                &expected_x_gradient,
                GRADIENTS,
            );
            assert_eq!(bias_gradient.is_some(), biased, "{what}");
            if let (Some(actual), Some(expected)) = (bias_gradient, expected_bias_gradient) {
                assert_close(
                    &format!("gradient of the bias: {what}"),
                    &actual,
                    &expected,
                    GRADIENTS,
                );
            }
        }
    }
}

#[test]
fn it_agrees_with_the_slow_reference() {
    for (name, device) in devices() {
        assert_as_reference(name, &device, [3, 5], &option_sets());
        assert_as_reference(name, &device, [2, 3, 1], &option_sets());
        assert_as_reference(name, &device, [2, 3, 5, 7], &option_sets());
    }
}

#[test]
fn work_for_all_threads_agrees_with_the_slow_reference() {
    let device = Device::flex();
    let of = |activation| BiasAct {
        activation,
        clamp: Some(0.6),
        ..BiasAct::default()
    };
    // More than 2^19 values, or 2^13 with an exponential; in rows and in planes of which pieces start at any channel.
    for shape in [[3, 7, 191, 163], [1031, 521, 1, 1]] {
        assert_as_reference("flex", &device, shape, &[of(Activation::LeakyRelu)]);
    }
    for shape in [[3, 7, 31, 23], [31, 521, 1, 1]] {
        assert_as_reference("flex", &device, shape, &[of(Activation::Swish)]);
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let shape = [2, 3, 4];
    for (name, device) in devices() {
        for activation in ACTIVATIONS {
            let options = BiasAct {
                activation,
                gain: Some(1.3),
                ..BiasAct::default()
            };
            let bias = seeded("difference/bias", [3], &device);
            // Away from the kinks of relu, lrelu, elu and selu at 0, and within their reach of it on both sides.
            let x: Vec<f32> = testkit::seeded("difference/x", 24, 1.0)
                .iter()
                .zip(values(bias.clone()).iter().flat_map(|b| [*b; 4]).cycle())
                .map(|(v, b)| if (v + b).abs() < 0.1 { v + 0.3 } else { *v })
                .collect();
            // Truncation is of the order of step^2 = 1e-4, rounding of 1e-7 / step.
            assert_gradient(
                &format!("{activation:?} on {name}"),
                &device,
                shape,
                &x,
                1e-2,
                1e-3,
                |x| {
                    bias_act(x, Some(bias.clone()), options)
                        .powi_scalar(2)
                        .sum()
                },
            );
        }
    }
}

#[test]
fn clamped_values_have_no_gradient() {
    for (_, device) in devices() {
        let device = device.clone().autodiff();
        let options = BiasAct {
            activation: Activation::LeakyRelu,
            gain: Some(2.0),
            clamp: Some(1.0),
            ..BiasAct::default()
        };
        let x = Tensor::<2>::from_data([[-5.0, -1.0, 0.25, 3.0]], &device).require_grad();
        let y = bias_act(x.clone(), None, options);
        assert_eq!(values(y.clone()), [-1.0, -0.4, 0.5, 1.0]);
        let gradient = x.grad(&y.sum().backward()).unwrap();
        assert_eq!(values(gradient), [0.0, 0.4, 2.0, 0.0]);
    }
}

#[test]
fn a_negative_slope_has_the_right_gradient() {
    for (_, device) in devices() {
        let device = device.clone().autodiff();
        let options = BiasAct {
            activation: Activation::LeakyRelu,
            alpha: Some(-0.5),
            gain: Some(1.0),
            clamp: Some(3.0),
        };
        let x = Tensor::<2>::from_data([[-8.0, -2.0, 2.0, 8.0]], &device).require_grad();
        let y = bias_act(x.clone(), None, options);
        assert_eq!(values(y.clone()), [3.0, 1.0, 2.0, 3.0]);
        let gradient = x.grad(&y.sum().backward()).unwrap();
        assert_eq!(values(gradient), [0.0, -0.5, 1.0, 0.0]);
    }
}

#[test]
fn a_gain_of_zero_gives_zeros() {
    for (_, device) in devices() {
        for activation in ACTIVATIONS {
            let device = device.clone().autodiff();
            let options = BiasAct {
                activation,
                gain: Some(0.0),
                ..BiasAct::default()
            };
            let x = seeded("zero/x", [2, 3], &device).require_grad();
            let y = bias_act(x.clone(), None, options);
            assert!(values(y.clone()).iter().all(|v| *v == 0.0));
            let gradient = x.grad(&y.sum().backward()).unwrap();
            assert!(values(gradient).iter().all(|v| *v == 0.0));
        }
    }
}

#[test]
fn only_what_is_tracked_gets_a_gradient() {
    for (_, device) in devices() {
        let device = device.clone().autodiff();
        for (track_x, track_bias) in [(true, false), (false, true), (true, true)] {
            let tracked = |tensor_tracked: bool, t: Tensor<1>| match tensor_tracked {
                true => t.require_grad(),
                false => t,
            };
            let x = tracked(track_x, seeded("tracked/x", [6], &device));
            let bias = tracked(track_bias, seeded("tracked/bias", [3], &device));
            let options = BiasAct {
                activation: Activation::LeakyRelu,
                ..BiasAct::default()
            };
            let y = bias_act::<2>(x.clone().reshape([2, 3]), Some(bias.clone()), options);
            let gradients = y.sum().backward();
            assert_eq!(x.grad(&gradients).is_some(), track_x);
            assert_eq!(bias.grad(&gradients).is_some(), track_bias);
        }
    }
}

#[test]
fn the_input_is_left_as_it_was_where_others_hold_it() {
    for (name, device) in devices() {
        let x = seeded("shared/x", [2, 3, 4], &device);
        let before = values(x.clone());
        let options = BiasAct {
            activation: Activation::Relu,
            ..BiasAct::default()
        };
        let y = values(bias_act(x.clone(), None, options));
        assert_eq!(values(x.clone()), before, "{name}");
        // The last holder's memory is reused.
        assert_eq!(values(bias_act(x, None, options)), y, "{name}");
    }
}

#[test]
fn the_layout_of_the_input_does_not_matter() {
    for (name, device) in devices() {
        let device = device.clone().autodiff();
        let x = seeded("layout/x", [3, 4, 5], &device);
        let bias = seeded("layout/bias", [8], &device);
        for activation in ACTIVATIONS {
            let options = BiasAct {
                activation,
                ..BiasAct::default()
            };
            let turned = x.clone().swap_dims(1, 2);
            let part = x.clone().slice([1..3, 0..4, 1..4]);
            for view in [turned, part] {
                let channels = view.dims()[1];
                let bias = bias.clone().narrow(0, 2, channels);
                let gradient_and_value = |x: Tensor<3>| {
                    let x = x.require_grad();
                    let y = bias_act(x.clone(), Some(bias.clone()), options);
                    let probe = seeded("layout/probe", y.dims(), &device);
                    // A gradient that is itself a view.
                    let product = y.clone().swap_dims(0, 2) * probe.swap_dims(0, 2);
                    let gradient = x.grad(&product.sum().backward()).unwrap();
                    (values(y), values(gradient))
                };
                let copy = Tensor::from_data(view.clone().into_data(), &device);
                assert_eq!(
                    gradient_and_value(view),
                    gradient_and_value(copy),
                    "{name}, {activation:?}"
                );
            }
        }
    }
}

#[test]
fn half_precision_comes_back_as_it_was() {
    let device = Device::flex();
    let x = seeded("half/x", [4, 8], &device);
    let options = BiasAct {
        activation: Activation::Swish,
        ..BiasAct::default()
    };
    let expected = values(bias_act(x.clone(), None, options));
    let half = bias_act(x.cast(DType::F16), None, options);
    assert_eq!(half.dtype(), DType::F16);
    // f16 has 11 significant bits.
    assert_close("f16", &values(half), &expected, 1e-3);
}

#[test]
fn nothing_in_gives_nothing_out() {
    for (_, device) in devices() {
        let x = Tensor::<4>::zeros([0, 3, 4, 4], &device);
        let bias = Tensor::<1>::zeros([3], &device);
        assert_eq!(
            bias_act(x, Some(bias), BiasAct::default()).dims(),
            [0, 3, 4, 4]
        );
    }
}

#[test]
#[should_panic(expected = "expected a bias of 4 channels, found 3")]
fn a_bias_of_another_length_is_refused() {
    let device = Device::flex();
    let x = Tensor::<2>::zeros([1, 4], &device);
    let _ = bias_act(x, Some(Tensor::zeros([3], &device)), BiasAct::default());
}

#[test]
#[should_panic(expected = "expected a clamp of at least 0, found -1")]
fn a_negative_clamp_is_refused() {
    let options = BiasAct {
        clamp: Some(-1.0),
        ..BiasAct::default()
    };
    let _ = bias_act(Tensor::<2>::zeros([1, 4], &Device::flex()), None, options);
}
