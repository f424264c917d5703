use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor, TensorData};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use testkit::{assert_close, seeded};

use super::{Convolution, Pass, Problem, Scales};
use crate::tile::{Distribution, Tile};

/// Sums of up to a thousand products in another order: a few rounding errors of f32.
const ROUNDING: f64 = 2e-6;

fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let primitive = tensor.try_into_primitive::<CubeBackend>();
    primitive.expect("a tensor of a graphics processor")
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("f32 tensors")
}

struct Case {
    x: [usize; 4],
    out: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// More rows than one tile and fewer, ends inside tiles, tiles over several images, phases without taps.
fn cases() -> Vec<Case> {
    let case = |x, out, kernel, stride, padding| Case {
        x,
        out,
        kernel,
        stride,
        padding,
    };
    vec![
        case([3, 21, 5, 7], 35, 3, 1, 1),
        case([1, 40, 12, 11], 131, 3, 1, 1),
        case([2, 17, 17, 9], 66, 3, 2, 0),
        case([1, 3, 23, 31], 9, 11, 4, 2),
        case([2, 36, 6, 6], 3, 1, 1, 0),
        case([1, 8, 9, 8], 5, 1, 3, 0),
    ]
}

#[test]
fn every_distribution_computes_the_same() {
    for (name, device) in testkit::devices() {
        if name == "flex" {
            continue;
        }
        for case in cases() {
            let Case {
                kernel,
                stride,
                padding,
                ..
            } = case;
            let [batch, channels, height, width] = case.x;
            let size = [height, width].map(|size| (size + 2 * padding - kernel) / stride + 1);
            for pass in [Pass::Forward, Pass::Adjoint] {
                let (from, to, result) = match pass {
                    Pass::Forward => (case.x, case.out, size),
                    Pass::Adjoint => (
                        [batch, case.out, size[0], size[1]],
                        channels,
                        [height, width],
                    ),
                };
                let x = |device: &Device| tensor("x", from, device);
                let weight =
                    |device: &Device| tensor("w", [case.out, channels, kernel, kernel], device);
                let input = |device: &Device| tensor("input", [batch, from[1]], device);
                let output = |device: &Device| tensor("output", [batch, to], device);
                let bias = |device: &Device| tensor("bias", [to], device);

                let cpu = Device::flex();
                let scaled = x(&cpu) * input(&cpu).reshape([batch, from[1], 1, 1]);
                let y = match pass {
                    Pass::Forward => {
                        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                        conv2d(scaled, weight(&cpu), None, options)
                    }
                    Pass::Adjoint => {
                        let reached = size.map(|size| (size - 1) * stride + kernel - 2 * padding);
                        let rest = [height - reached[0], width - reached[1]];
                        let options =
                            ConvTransposeOptions::new([stride; 2], [padding; 2], rest, [1, 1], 1);
                        conv_transpose2d(scaled, weight(&cpu), None, options)
                    }
                };
                let y =
                    y * output(&cpu).reshape([batch, to, 1, 1]) + bias(&cpu).reshape([1, to, 1, 1]);
                let expected = values(y);

                for tile in Tile::ALL {
                    for splits in [1, 2, 5] {
                        let weight = primitive(weight(&device));
                        let convolution = Convolution {
                            pass,
                            stride: [stride; 2],
                            padding: [padding; 2],
                            output: result,
                        };
                        let problem = Problem::new(&weight, convolution);
                        let y = problem.launch(
                            primitive(x(&device)),
                            weight,
                            Some(primitive(bias(&device))),
                            Scales {
                                input: Some(primitive(input(&device))),
                                output: Some(primitive(output(&device))),
                            },
                            Distribution { tile, splits },
                        );
                        let y = Tensor::<4>::from_primitive::<CubeBackend>(y);
                        let what = format!(
                            "{name}: {:?} -> {} {pass:?} {tile:?} {splits} splits",
                            case.x, case.out
                        );
                        assert_eq!(y.dims(), [batch, to, result[0], result[1]], "{what}");
                        assert_close(&what, &values(y), &expected, ROUNDING);
                    }
                }
            }
        }
    }
}
