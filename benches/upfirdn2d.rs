//! The networks' resampling filters as training at 64x64 and synthesis at 256x256 have them, in outputs a second.
//!
//! `KERNELS_SIMD=avx2` keeps the wider vectors out, `RAYON_NUM_THREADS=1` the other threads.

use std::hint::black_box;

use cpu_kernels::upfirdn2d::{Resampling, Taps, upfirdn2d};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const TAPS: [f32; 4] = [0.125, 0.375, 0.375, 0.125];

/// Planes of one side, filtered with `[before, after]` zeros around them.
#[derive(Clone, Copy)]
struct Case {
    planes: usize,
    side: usize,
    up: usize,
    down: usize,
    padding: [usize; 2],
}

impl Case {
    const fn new(rate: [usize; 2], padding: [usize; 2], planes: usize, side: usize) -> Self {
        let [up, down] = rate;
        Self {
            planes,
            side,
            up,
            down,
            padding,
        }
    }

    fn reached(&self) -> usize {
        let [before, after] = self.padding;
        (self.side * self.up + before + after - TAPS.len()) / self.down + 1
    }
}

const CASES: [Case; 10] = [
    // Behind a transposed convolution of stride 2, and before a convolution of stride 2.
    Case::new([1, 1], [1, 1], 512, 17),
    Case::new([1, 1], [1, 1], 256, 33),
    Case::new([1, 1], [1, 1], 128, 65),
    Case::new([1, 1], [2, 2], 128, 64),
    Case::new([1, 1], [1, 1], 64, 257),
    // Beside the convolutions of a block of the discriminator.
    Case::new([1, 2], [1, 1], 256, 32),
    Case::new([1, 2], [1, 1], 128, 64),
    // The way back, and the images of a generator's blocks.
    Case::new([2, 1], [2, 1], 256, 16),
    Case::new([2, 1], [2, 1], 128, 32),
    Case::new([2, 1], [2, 1], 3, 128),
];

fn filters(criterion: &mut Criterion) {
    program_allocator::begin();
    let mut group = criterion.benchmark_group("upfirdn2d");
    for case in CASES {
        let Case {
            planes,
            side,
            up,
            down,
            padding: [before, _],
        } = case;
        let reached = case.reached();
        let x: Vec<f32> = (0..planes * side * side)
            .map(|index| (index * 7919 % 1013) as f32 / 1013.0 - 0.5)
            .collect();
        let resampling = Resampling {
            input: [side; 2],
            output: [reached; 2],
            up: [up; 2],
            down: [down; 2],
            before: [before as isize; 2],
            taps: Taps::Separable {
                column: &TAPS,
                row: &TAPS,
            },
        };
        group.throughput(Throughput::Elements((planes * reached * reached) as u64));
        let name = format!("{planes}x{side}-{reached}");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| upfirdn2d(black_box(&x), black_box(&resampling)));
        });
    }
    group.finish();
}

criterion_group!(benches, filters);
criterion_main!(benches);
