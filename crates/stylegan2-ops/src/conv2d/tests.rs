use burn::tensor::{Device, Tensor, TensorData};
use testkit::{assert_close, assert_gradient, seeded};

use crate::{Conv2d, conv_transpose2d, conv2d};

/// Sums of a few hundred products in another order: a few rounding errors of f32.
const ROUNDING: f64 = 2e-6;

/// Along a direction a bilinear function has no third derivative, so that only the rounding of its values remains.
const DIFFERENCE: f64 = 2e-3;

/// Sizes of one case: batch, channels in and out, input and kernel.
#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    channels: usize,
    out: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    options: Conv2d,
}

impl Case {
    fn new(shape: [usize; 5], kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Self {
        let [batch, channels, out, height, width] = shape;
        Self {
            batch,
            channels,
            out,
            size: [height, width],
            kernel,
            options: Conv2d {
                stride,
                padding,
                groups: 1,
            },
        }
    }

    fn grouped(self, groups: usize) -> Self {
        Self {
            options: Conv2d {
                groups,
                ..self.options
            },
            ..self
        }
    }

    fn x_shape(&self) -> [usize; 4] {
        [self.batch, self.channels, self.size[0], self.size[1]]
    }

    fn weight_shape(&self) -> [usize; 4] {
        let channels = self.channels / self.options.groups;
        [self.out, channels, self.kernel[0], self.kernel[1]]
    }

    fn y_shape(&self) -> [usize; 4] {
        let [height, width] = self.options.output_size(self.size, self.kernel);
        [self.batch, self.out, height, width]
    }
}

/// Every kind of layout: pixel products, odd and even kernels, strides and their phases, rectangular padding, groups,
/// images smaller than a vector, tiles that end inside a row and bands of four rows.
fn cases() -> Vec<Case> {
    vec![
        Case::new([1, 1, 1, 1, 1], [1, 1], [1, 1], [0, 0]),
        Case::new([2, 5, 7, 9, 8], [1, 1], [1, 1], [0, 0]),
        Case::new([1, 9, 3, 16, 16], [1, 1], [2, 2], [0, 0]),
        Case::new([1, 3, 2, 5, 4], [1, 1], [3, 1], [0, 3]),
        Case::new([3, 8, 17, 4, 4], [3, 3], [1, 1], [1, 1]),
        Case::new([1, 6, 9, 8, 7], [3, 3], [1, 1], [0, 0]),
        Case::new([2, 4, 5, 13, 21], [3, 3], [1, 1], [1, 1]),
        Case::new([1, 3, 8, 33, 32], [3, 3], [2, 2], [0, 0]),
        Case::new([2, 5, 6, 21, 33], [3, 3], [1, 1], [1, 1]),
        Case::new([1, 4, 9, 30, 18], [3, 3], [1, 1], [0, 0]),
        Case::new([2, 3, 4, 7, 10], [5, 5], [1, 1], [2, 2]),
        Case::new([1, 2, 9, 12, 9], [7, 7], [2, 2], [3, 3]),
        Case::new([1, 3, 10, 40, 35], [11, 11], [4, 4], [2, 2]),
        Case::new([2, 3, 4, 6, 9], [2, 4], [1, 2], [1, 3]),
        Case::new([1, 2, 3, 6, 6], [3, 1], [2, 3], [2, 0]),
        Case::new([2, 4, 6, 9, 9], [3, 3], [1, 1], [1, 1]).grouped(2),
        Case::new([1, 6, 6, 11, 5], [3, 3], [2, 1], [1, 2]).grouped(6),
    ]
}

fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("f32 tensors")
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

/// The definition, in f64.
fn slow_conv2d(x: &[f32], weight: &[f32], case: &Case) -> Vec<f32> {
    let [batch, channels, height, width] = case.x_shape();
    let [out, group_channels, kh, kw] = case.weight_shape();
    let [_, _, out_height, out_width] = case.y_shape();
    let Conv2d {
        stride,
        padding,
        groups,
    } = case.options;
    let mut y = Vec::with_capacity(batch * out * out_height * out_width);
    for n in 0..batch {
        for o in 0..out {
            let first_channel = o / (out / groups) * group_channels;
            for i in 0..out_height {
                for j in 0..out_width {
                    let mut sum = 0.0;
                    for c in 0..group_channels {
                        for a in 0..kh {
                            for b in 0..kw {
                                let row = (i * stride[0] + a).wrapping_sub(padding[0]);
                                let column = (j * stride[1] + b).wrapping_sub(padding[1]);
                                if row < height && column < width {
                                    let plane = n * channels + first_channel + c;
                                    let x = x[(plane * height + row) * width + column];
                                    let w = weight[((o * group_channels + c) * kh + a) * kw + b];
                                    sum += f64::from(x) * f64::from(w);
                                }
                            }
                        }
                    }
                    y.push(sum as f32);
                }
            }
        }
    }
    y
}

#[test]
fn a_box_counts_the_pixels_it_covers() {
    for (name, device) in testkit::devices() {
        let ones = Tensor::<4>::ones([1, 1, 3, 3], &device);
        let options = Conv2d {
            padding: [1, 1],
            ..Conv2d::default()
        };
        let y = conv2d(
            ones.clone(),
            ones.clone(),
            Some(Tensor::from_floats([0.5], &device)),
            options,
        );
        let expected = [4.5, 6.5, 4.5, 6.5, 9.5, 6.5, 4.5, 6.5, 4.5];
        assert_eq!(values(y), expected, "{name}");
        // One pixel of a transposed convolution paints the kernel; two at stride 2 overlap in one column.
        let x = Tensor::<4>::from_floats([[[[1.0, 10.0]]]], &device);
        let kernel = Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0]]]], &device);
        let options = Conv2d {
            stride: [2, 2],
            ..Conv2d::default()
        };
        let y = conv_transpose2d(x, kernel, options);
        assert_eq!(values(y), [1.0, 2.0, 13.0, 20.0, 30.0], "{name}");
    }
}

#[test]
fn equals_its_definition() {
    for (name, device) in testkit::devices() {
        for case in cases() {
            let x = tensor("x", case.x_shape(), &device);
            let weight = tensor("weight", case.weight_shape(), &device);
            let bias = tensor("bias", [case.out], &device);
            let expected = slow_conv2d(&values(x.clone()), &values(weight.clone()), &case);
            let area: usize = case.y_shape()[2..].iter().product();
            let biased: Vec<f32> = expected
                .chunks(area)
                .zip(values(bias.clone()).iter().cycle())
                .flat_map(|(plane, bias)| plane.iter().map(move |y| y + bias))
                .collect();
            let what = format!("{name}: {case:?}");
            let y = conv2d(x.clone(), weight.clone(), None, case.options);
            assert_eq!(y.dims(), case.y_shape(), "{what}");
            assert_close(&what, &values(y), &expected, ROUNDING);
            let y = conv2d(x, weight, Some(bias), case.options);
            assert_close(&what, &values(y), &biased, ROUNDING);
        }
    }
}

#[cfg(feature = "cpu")]
#[test]
fn the_cpu_rounds_little_with_many_channels() {
    // 4608 products a sum; bands of four rows add the rounding of their transforms. What StyleGAN2's images may be off
    // by in all is 1e-5.
    const MANY: f64 = 5e-6;
    let device = Device::flex();
    let case = Case::new([1, 512, 8, 32, 32], [3, 3], [1, 1], [1, 1]);
    let x = tensor("x", case.x_shape(), &device);
    let weight = tensor("weight", case.weight_shape(), &device);
    let expected = slow_conv2d(&values(x.clone()), &values(weight.clone()), &case);
    let found = values(conv2d(x, weight, None, case.options));
    assert_close("512 channels", &found, &expected, MANY);
}

#[test]
fn reads_views_where_they_lie() {
    for (name, device) in testkit::devices() {
        let case = Case::new([2, 6, 5, 9, 10], [3, 2], [1, 1], [1, 0]);
        let x = tensor::<4>("x", [2, 6, 10, 9], &device)
            .swap_dims(2, 3)
            .flip([2]);
        let weight = tensor::<4>("weight", [6, 7, 3, 2], &device)
            .swap_dims(0, 1)
            .slice([1..6, 0..6, 0..3, 0..2])
            .flip([2, 3]);
        let x = x.slice([0..2, 0..6, 0..9, 0..9]);
        let case = Case {
            size: [9, 9],
            ..case
        };
        let expected = slow_conv2d(&values(x.clone()), &values(weight.clone()), &case);
        let y = conv2d(x, weight, None, case.options);
        assert_close(name, &values(y), &expected, ROUNDING);
    }
}

#[test]
fn gradients_are_the_adjoints() {
    for (name, device) in testkit::devices() {
        let device = device.autodiff();
        for case in cases() {
            let what = format!("{name}: {case:?}");
            let x = tensor("x", case.x_shape(), &device).require_grad();
            let weight = tensor("weight", case.weight_shape(), &device).require_grad();
            let bias = tensor("bias", [case.out], &device).require_grad();
            let probe = tensor("probe", case.y_shape(), &device);
            let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), case.options);
            let gradients = (y * probe.clone()).sum().backward();
            // A map linear in one argument is its gradient's product with that argument.
            let linear = conv2d(x.clone(), weight.clone(), None, case.options);
            let product = dot(&values(linear.inner()), &values(probe.clone()));
            for (argument, found) in [
                (
                    "x",
                    dot(
                        &values(x.clone().inner()),
                        &values(x.grad(&gradients).expect("tracked")),
                    ),
                ),
                (
                    "weight",
                    dot(
                        &values(weight.clone().inner()),
                        &values(weight.grad(&gradients).expect("tracked")),
                    ),
                ),
            ] {
                let scale = product
                    .abs()
                    .max((case.y_shape().iter().product::<usize>() as f64).sqrt());
                assert!(
                    (found - product).abs() <= 1e-4 * scale,
                    "{what}: {argument}: {found} is not {product}"
                );
            }
            let found = values(bias.grad(&gradients).expect("tracked"));
            let [batch, out, height, width] = case.y_shape();
            let probe = values(probe);
            let expected: Vec<f32> = (0..out)
                .map(|o| {
                    (0..batch)
                        .flat_map(|n| &probe[(n * out + o) * height * width..][..height * width])
                        .map(|v| f64::from(*v))
                        .sum::<f64>() as f32
                })
                .collect();
            assert_close(&what, &found, &expected, 1e-5);
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    for (name, device) in testkit::devices() {
        for case in [
            Case::new([2, 3, 4, 6, 5], [3, 3], [1, 1], [1, 1]),
            Case::new([1, 2, 3, 9, 8], [3, 3], [2, 2], [0, 1]),
            Case::new([2, 4, 4, 5, 5], [3, 3], [1, 1], [1, 1]).grouped(2),
        ] {
            let x_values = seeded("x", case.x_shape().iter().product(), 1.0);
            let weight_values = seeded("weight", case.weight_shape().iter().product(), 1.0);
            let loss = |y: Tensor<4>| {
                let probe = tensor::<4>("probe", y.dims(), &y.device());
                (y.clone() * probe + y.powi_scalar(2) * 0.1).mean()
            };
            let constant = tensor::<4>("weight", case.weight_shape(), &device);
            assert_gradient(
                &format!("{name}: x of {case:?}"),
                &device,
                case.x_shape(),
                &x_values,
                0.05,
                DIFFERENCE,
                |x: Tensor<4>| loss(conv2d(x, constant.clone(), None, case.options)),
            );
            let constant = tensor::<4>("x", case.x_shape(), &device);
            assert_gradient(
                &format!("{name}: weight of {case:?}"),
                &device,
                case.weight_shape(),
                &weight_values,
                0.05,
                DIFFERENCE,
                |weight: Tensor<4>| loss(conv2d(constant.clone(), weight, None, case.options)),
            );
        }
    }
}

#[test]
fn the_transposed_convolution_is_the_adjoint() {
    for (name, device) in testkit::devices() {
        let autodiff = device.clone().autodiff();
        for case in cases() {
            if case.options.groups > 1 {
                continue;
            }
            let what = format!("{name}: {case:?}");
            let [height, width] = [case.y_shape()[2], case.y_shape()[3]];
            let size = case
                .options
                .transposed_output_size([height, width], case.kernel);
            let case = Case { size, ..case };
            let y = tensor("y", case.y_shape(), &device);
            let x = tensor("x", case.x_shape(), &device);
            let weight = tensor("weight", case.weight_shape(), &device);
            let transposed = conv_transpose2d(y.clone(), weight.clone(), case.options);
            assert_eq!(transposed.dims(), case.x_shape(), "{what}");
            let forward = slow_conv2d(&values(x.clone()), &values(weight.clone()), &case);
            let [left, right] = [
                dot(&values(transposed.clone()), &values(x.clone())),
                dot(&values(y.clone()), &forward),
            ];
            let scale = right.abs().max((forward.len() as f64).sqrt());
            assert!(
                (left - right).abs() <= 1e-4 * scale,
                "{what}: {left} is not {right}"
            );
            // Its own gradients, by linearity in each argument.
            let y = Tensor::from_inner(y).require_grad();
            let weight = Tensor::from_inner(weight).require_grad();
            let gradients = (conv_transpose2d(y.clone(), weight.clone(), case.options)
                * tensor::<4>("x", case.x_shape(), &autodiff))
            .sum()
            .backward();
            let of_y = dot(
                &values(y.clone().inner()),
                &values(y.grad(&gradients).expect("tracked")),
            );
            let of_weight = dot(
                &values(weight.clone().inner()),
                &values(weight.grad(&gradients).expect("tracked")),
            );
            assert!((of_y - right).abs() <= 1e-4 * scale, "{what}: {of_y}");
            assert!(
                (of_weight - right).abs() <= 1e-4 * scale,
                "{what}: {of_weight}"
            );
        }
    }
}

/// Training resumes exactly, and images are inverted as if each were alone, on any number of threads.
#[cfg(feature = "cpu")]
#[test]
#[cfg_attr(target_family = "wasm", ignore = "there are no threads")]
fn threads_and_company_change_no_bit() {
    let results = |threads: usize, case: &Case, images: usize| {
        let work = || {
            let device = Device::flex().autodiff();
            let x = tensor("x", case.x_shape(), &device);
            let x = x.narrow(0, 0, images).detach().require_grad();
            let weight = tensor("weight", case.weight_shape(), &device).require_grad();
            let y = conv2d(x.clone(), weight.clone(), None, case.options);
            let probe = tensor("probe", case.y_shape(), &device).narrow(0, 0, images);
            let gradients = (y.clone() * probe).sum().backward();
            let of_x = x.grad(&gradients).expect("x is tracked");
            let of_weight = weight.grad(&gradients).expect("the weight is tracked");
            [values(y.inner()), values(of_x), values(of_weight)]
        };
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a few threads")
            .install(work)
    };
    for case in [
        // Each enough work for several threads: large planes, small ones gathered to a column matrix, and a stride.
        Case::new([3, 16, 24, 40, 40], [3, 3], [1, 1], [1, 1]),
        Case::new([3, 64, 64, 4, 4], [3, 3], [1, 1], [1, 1]),
        Case::new([3, 32, 48, 21, 21], [3, 3], [2, 2], [0, 0]),
    ] {
        let [y, of_x, of_weight] = results(1, &case, case.batch);
        for threads in [2, 5] {
            let parallel = results(threads, &case, case.batch);
            assert!(
                parallel == [y.clone(), of_x.clone(), of_weight.clone()],
                "{case:?} on {threads} threads"
            );
        }
        let [y_alone, of_x_alone, _] = results(1, &case, 1);
        assert!(
            y[..y_alone.len()] == y_alone && of_x[..of_x_alone.len()] == of_x_alone,
            "{case:?} alone"
        );
    }
}

#[test]
fn other_float_types_are_cast_there_and_back() {
    use burn::tensor::DType;

    for (name, device) in testkit::devices() {
        let x: Tensor<4> = tensor("half x", [1, 2, 5, 4], &device);
        let weight: Tensor<4> = tensor("half weight", [3, 2, 3, 3], &device);
        let bias: Tensor<1> = tensor("half bias", [3], &device);
        // What f16 holds exactly is the same number in f32.
        let [x, weight] = [x, weight].map(|t| t.cast(DType::F16));
        let bias = bias.cast(DType::F16);
        let as_f32 = |t: &Tensor<4>| t.clone().cast(DType::F32);
        let options = Conv2d::default();
        let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
        assert_eq!(y.dtype(), DType::F16, "{name}");
        let expected = conv2d(
            as_f32(&x),
            as_f32(&weight),
            Some(bias.cast(DType::F32)),
            options,
        );
        assert_eq!(
            values(y.cast(DType::F32)),
            values(expected.cast(DType::F16).cast(DType::F32))
        );
        let transposed = conv_transpose2d(x.clone(), weight.clone().swap_dims(0, 1), options);
        assert_eq!(transposed.dtype(), DType::F16, "{name}");
    }
}

#[test]
fn frozen_weights_are_constants() {
    for (_, device) in testkit::devices() {
        let autodiff = device.clone().autodiff();
        let case = Case::new([1, 3, 4, 6, 6], [3, 3], [1, 1], [1, 1]);
        let x = tensor("x", case.x_shape(), &autodiff).require_grad();
        let weight = tensor("weight", case.weight_shape(), &device);
        let y = conv2d(x.clone(), weight, None, case.options);
        let gradients = y.sum().backward();
        assert_eq!(
            x.grad(&gradients).expect("x is tracked").dims(),
            case.x_shape()
        );
        // And the other way round.
        let x = tensor("x", case.x_shape(), &device);
        let weight = tensor("weight", case.weight_shape(), &autodiff).require_grad();
        let gradients = conv2d(x, weight.clone(), None, case.options)
            .sum()
            .backward();
        assert_eq!(
            weight.grad(&gradients).expect("weight is tracked").dims(),
            case.weight_shape()
        );
    }
}

#[test]
#[should_panic(expected = "does not fit an input of")]
fn refuses_other_channels() {
    let (_, device) = testkit::devices().remove(0);
    conv2d(
        Tensor::ones([1, 3, 4, 4], &device),
        Tensor::ones([2, 4, 3, 3], &device),
        None,
        Conv2d::default(),
    );
}
