//! Convolutions as networks at 256x256 and training at 64x64 have them, in multiply-adds a second of the definition.
//!
//! `KERNELS_SIMD=avx2` keeps the wider vectors out, `RAYON_NUM_THREADS=1` the other threads.

use std::hint::black_box;

use cpu_kernels::conv2d::{
    Geometry, Operands, WeightGradient, WeightView, correlate, correlate_adjoint, weight_gradient,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A square convolution.
#[derive(Clone, Copy)]
struct Layer {
    images: usize,
    channels: [usize; 2],
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Layer {
    const fn three_by_three(images: usize, channels: [usize; 2], size: usize) -> Self {
        Self {
            images,
            channels,
            size,
            kernel: 3,
            stride: 1,
            padding: 1,
        }
    }

    /// To half or from half of the size.
    const fn by_two(images: usize, channels: [usize; 2], size: usize) -> Self {
        Self {
            stride: 2,
            padding: 0,
            ..Self::three_by_three(images, channels, size)
        }
    }

    fn name(&self) -> String {
        let Self {
            images,
            channels: [ic, oc],
            size,
            ..
        } = self;
        format!("{images}x{ic}-{oc}-{size}")
    }

    fn geometry(&self, output: usize) -> Geometry {
        Geometry {
            input: [self.size; 2],
            kernel: [self.kernel; 2],
            output: [output; 2],
            stride: [self.stride; 2],
            padding: [self.padding; 2],
        }
    }

    fn reached(&self) -> usize {
        (self.size + 2 * self.padding - self.kernel) / self.stride + 1
    }
}

const FORWARD: [Layer; 9] = [
    Layer::three_by_three(1, [512, 512], 8),
    Layer::three_by_three(1, [512, 512], 32),
    Layer::three_by_three(1, [256, 256], 64),
    Layer::three_by_three(1, [128, 128], 128),
    Layer::three_by_three(1, [64, 64], 256),
    Layer::three_by_three(8, [512, 512], 8),
    Layer::three_by_three(8, [256, 256], 32),
    Layer::three_by_three(8, [128, 128], 64),
    Layer::by_two(8, [128, 256], 66),
];

const ADJOINT: [Layer; 4] = [
    Layer::by_two(1, [512, 256], 32),
    Layer::by_two(1, [256, 128], 64),
    Layer::by_two(1, [128, 64], 128),
    Layer::by_two(8, [256, 128], 32),
];

const GRADIENT: [Layer; 3] = [
    Layer::three_by_three(8, [512, 512], 8),
    Layer::three_by_three(8, [128, 128], 64),
    Layer::by_two(8, [128, 256], 66),
];

/// Values between -0.5 and 0.5.
fn values(count: usize) -> Vec<f32> {
    (0..count)
        .map(|index| (index * 7919 % 1013) as f32 / 1013.0 - 0.5)
        .collect()
}

fn measure(criterion: &mut Criterion, name: &str, layers: &[Layer], adjoint: bool) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    for layer in layers {
        let Layer {
            images,
            channels: [ic, oc],
            size,
            kernel,
            stride,
            ..
        } = *layer;
        let output = if adjoint {
            (size - 1) * stride + kernel
        } else {
            layer.reached()
        };
        let (x, w) = (
            values(images * ic * size * size),
            values(oc * ic * kernel * kernel),
        );
        let factors = vec![1.0; images * ic.max(oc)];
        let taps = (kernel * kernel) as isize;
        let operands = Operands {
            x: &x,
            weight: WeightView {
                values: &w,
                offset: 0,
                group: 0,
                oc: ic as isize * taps,
                ic: taps,
                kernel: [kernel as isize, 1],
            },
            input_scale: Some(&factors[..images * ic]),
            output_scale: Some(&factors[..images * oc]),
            bias: None,
            n: images,
            groups: 1,
            ic,
            oc,
            geometry: layer.geometry(output),
        };
        let positions = if adjoint { size } else { output };
        let products = images * ic * oc * kernel * kernel * positions * positions;
        group.throughput(Throughput::Elements(products as u64));
        group.bench_function(BenchmarkId::from_parameter(layer.name()), |bencher| {
            bencher.iter(|| {
                let operands = black_box(&operands);
                if adjoint {
                    correlate_adjoint(operands)
                } else {
                    correlate(operands)
                }
            });
        });
    }
    group.finish();
}

fn gradients(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv2d/weight gradient");
    group.sample_size(20);
    for layer in GRADIENT {
        let Layer {
            images,
            channels: [ic, oc],
            size,
            kernel,
            ..
        } = layer;
        let output = layer.reached();
        let (x, gradient) = (
            values(images * ic * size * size),
            values(images * oc * output * output),
        );
        let input = WeightGradient {
            x: &x,
            gradient: &gradient,
            n: images,
            groups: 1,
            ic,
            oc,
            geometry: layer.geometry(output),
        };
        let products = images * ic * oc * kernel * kernel * output * output;
        group.throughput(Throughput::Elements(products as u64));
        group.bench_function(BenchmarkId::from_parameter(layer.name()), |bencher| {
            bencher.iter(|| weight_gradient(black_box(&input)));
        });
    }
    group.finish();
}

fn conv2d(criterion: &mut Criterion) {
    program_allocator::begin();
    measure(criterion, "conv2d/forward", &FORWARD, false);
    measure(criterion, "conv2d/adjoint", &ADJOINT, true);
    gradients(criterion);
}

criterion_group!(benches, conv2d);
criterion_main!(benches);
