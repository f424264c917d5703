use burn::tensor::{Device, Tensor, TensorData};
use testkit::{assert_close, assert_gradient, seeded};

use crate::{Conv2dResample, Filter, ModulatedConv2d, conv2d_resample, modulated_conv2d};

/// The same sums in another order, and one factor more or less before rounding.
const ROUNDING: f64 = 5e-6;

/// The demodulation is smooth; a step of 0.02 keeps truncation near 4e-4 of the gradient and rounding below it.
const DIFFERENCE: f64 = 3e-3;

const SHAPE: [usize; 4] = [3, 5, 6, 7];
const WEIGHT: [usize; 4] = [4, 5, 3, 3];
const STYLES: [usize; 2] = [3, 5];

fn filter() -> Filter {
    Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0])
}

fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("f32 tensors")
}

/// All combinations of the options.
fn all_options() -> Vec<ModulatedConv2d> {
    let mut all = Vec::new();
    for up in [1, 2] {
        for demodulate in [true, false] {
            for flip_weight in [true, false] {
                all.push(ModulatedConv2d {
                    up,
                    padding: 1,
                    demodulate,
                    flip_weight,
                });
            }
        }
    }
    all
}

/// The definition: a weight of its own for every sample, normalized in f64.
fn with_weights_of_samples(
    x: Tensor<4>,
    weight: Tensor<4>,
    styles: Tensor<2>,
    options: ModulatedConv2d,
) -> Vec<f32> {
    let [out, input, kh, kw] = weight.dims();
    let device = x.device();
    let (weight, styles) = (values(weight), values(styles));
    let samples = x.chunk(styles.len() / input, 0);
    samples
        .into_iter()
        .zip(styles.chunks(input))
        .flat_map(|(x, style)| {
            let mut modulated: Vec<f64> = Vec::with_capacity(weight.len());
            for row in weight.chunks(input * kh * kw) {
                let row: Vec<f64> = row
                    .chunks(kh * kw)
                    .zip(style)
                    .flat_map(|(taps, s)| taps.iter().map(move |w| f64::from(*w) * f64::from(*s)))
                    .collect();
                let energy: f64 = row.iter().map(|w| w * w).sum();
                let d = if options.demodulate {
                    (energy + 1e-8).sqrt().recip()
                } else {
                    1.0
                };
                modulated.extend(row.iter().map(|w| w * d));
            }
            let modulated: Vec<f32> = modulated.into_iter().map(|w| w as f32).collect();
            let weight =
                Tensor::from_data(TensorData::new(modulated, [out, input, kh, kw]), &device);
            values(conv2d_resample(
                x,
                weight,
                &filter(),
                Conv2dResample {
                    up: options.up,
                    down: 1,
                    padding: options.padding,
                    flip_weight: options.flip_weight,
                },
            ))
        })
        .collect()
}

#[test]
fn equals_one_convolution_for_each_sample() {
    for (name, device) in testkit::devices() {
        for options in all_options() {
            for kernel in [3, 1] {
                let options = ModulatedConv2d {
                    padding: kernel / 2,
                    ..options
                };
                let x = tensor("x", SHAPE, &device);
                let weight = tensor("weight", [WEIGHT[0], WEIGHT[1], kernel, kernel], &device);
                let styles = tensor("styles", STYLES, &device);
                let y = modulated_conv2d(
                    x.clone(),
                    weight.clone(),
                    styles.clone(),
                    &filter(),
                    options,
                );
                assert_eq!(
                    y.dims(),
                    [
                        SHAPE[0],
                        WEIGHT[0],
                        SHAPE[2] * options.up,
                        SHAPE[3] * options.up
                    ]
                );
                let expected = with_weights_of_samples(x, weight, styles, options);
                assert_close(
                    &format!("{name}: {options:?}"),
                    &values(y),
                    &expected,
                    ROUNDING,
                );
            }
        }
    }
}

#[test]
fn half_precision_is_cast_and_images_without_pixels_stay_empty() {
    use burn::tensor::DType;

    for (name, device) in testkit::devices() {
        let options = all_options().remove(0);
        // Values that half precision has, so that only the result is rounded.
        let x: Tensor<4> = tensor("x", [2, 3, 4, 4], &device);
        let x = x.cast(DType::F16).cast(DType::F32);
        let weight: Tensor<4> = tensor("weight", [5, 3, 3, 3], &device);
        let styles: Tensor<2> = tensor("styles", [2, 3], &device);
        let run = |x| modulated_conv2d(x, weight.clone(), styles.clone(), &filter(), options);
        let expected = values(run(x.clone()));
        let y = run(x.cast(DType::F16));
        assert_eq!(y.dtype(), DType::F16, "{name}");
        // Half a unit in the last of eleven bits.
        assert_close(name, &values(y.cast(DType::F32)), &expected, 4.9e-4);
        let none = Tensor::zeros([0, 3, 4, 4], &device);
        let y = modulated_conv2d(
            none,
            weight.clone(),
            Tensor::zeros([0, 3], &device),
            &filter(),
            options,
        );
        assert_eq!(y.dims(), [0, 5, 4, 4], "{name}");
    }
}

#[test]
fn demodulation_removes_the_scale_of_the_style() {
    for (name, device) in testkit::devices() {
        let run = |gain: f32| {
            values(modulated_conv2d(
                tensor("x", SHAPE, &device),
                tensor("weight", WEIGHT, &device),
                tensor("styles", STYLES, &device) * gain,
                &filter(),
                all_options()[0],
            ))
        };
        assert_close(name, &run(8.0), &run(1.0), ROUNDING);
    }
}

#[test]
fn gradients_agree_with_differences() {
    const STEP: f32 = 0.02;
    for (name, device) in testkit::devices() {
        for options in all_options() {
            let what = |argument: &str| format!("{name}: {argument}, {options:?}");
            let x = tensor("x", SHAPE, &device);
            let weight = tensor("weight", WEIGHT, &device);
            let styles = tensor("styles", STYLES, &device);
            let loss = |x: &Tensor<4>, weight: &Tensor<4>, styles: &Tensor<2>| {
                let y = modulated_conv2d(
                    x.clone(),
                    weight.clone(),
                    styles.clone(),
                    &filter(),
                    options,
                );
                let probe = tensor::<4>("probe", y.dims(), &device);
                (y * probe).sum()
            };
            assert_gradient(
                &what("x"),
                &device,
                SHAPE,
                &values(x.clone()),
                STEP,
                DIFFERENCE,
                |x: Tensor<4>| loss(&x, &weight, &styles),
            );
            assert_gradient(
                &what("weight"),
                &device,
                WEIGHT,
                &values(weight.clone()),
                STEP,
                DIFFERENCE,
                |weight: Tensor<4>| loss(&x, &weight, &styles),
            );
            assert_gradient(
                &what("styles"),
                &device,
                STYLES,
                &values(styles.clone()),
                STEP,
                DIFFERENCE,
                |styles: Tensor<2>| loss(&x, &weight, &styles),
            );
        }
    }
}

#[test]
fn gradients_of_all_arguments_together_are_those_of_each_alone() {
    for (name, device) in testkit::devices() {
        let autodiff = device.clone().autodiff();
        for options in all_options() {
            let [x, weight] = [("x", SHAPE), ("weight", WEIGHT)]
                .map(|(argument, shape)| tensor(argument, shape, &autodiff));
            let styles = tensor("styles", STYLES, &autodiff);
            let run = |x: &Tensor<4>, weight: &Tensor<4>, styles: &Tensor<2>| {
                let y = modulated_conv2d(
                    x.clone(),
                    weight.clone(),
                    styles.clone(),
                    &filter(),
                    options,
                );
                let probe = tensor::<4>("probe", y.dims(), &device);
                (y * probe).sum().backward()
            };
            let tracked_x = x.clone().require_grad();
            let tracked_weight = weight.clone().require_grad();
            let tracked_styles = styles.clone().require_grad();
            let together = run(&tracked_x, &tracked_weight, &tracked_styles);
            let alone = [
                run(&tracked_x, &weight, &styles),
                run(&x, &tracked_weight, &styles),
                run(&x, &weight, &tracked_styles),
            ];
            let gradient = |tensor: &Tensor<4>, of| values(tensor.grad(of).expect("tracked"));
            let what = format!("{name}: {options:?}");
            assert_close(
                &what,
                &gradient(&tracked_x, &together),
                &gradient(&tracked_x, &alone[0]),
                ROUNDING,
            );
            assert_close(
                &what,
                &gradient(&tracked_weight, &together),
                &gradient(&tracked_weight, &alone[1]),
                ROUNDING,
            );
            assert_close(
                &what,
                &values(tracked_styles.grad(&together).expect("tracked")),
                &values(tracked_styles.grad(&alone[2]).expect("tracked")),
                ROUNDING,
            );
        }
    }
}
