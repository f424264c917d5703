//! Distances between sets of 2048 features, as Inception-v3 gives them: the Fréchet distance of covariances of full and
//! of deficient rank, KID, and precision and recall.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use feature_stats::{Ddof, MeanCovariance, Moments};
use metrics_fid::{
    PRECISION_RECALL_NEIGHBORS, frechet_distance, kernel_distance, precision_recall,
};
use ndarray::Array2;

const DIMENSION: usize = 2048;
/// More features than dimensions, and a few-shot set.
const COUNTS: [usize; 2] = [3000, 100];
/// Variances fall with this power of their number, as those of pooled features do about.
const DECAY: f64 = 1.4;
const SAMPLES: usize = 10;

/// splitmix64 to numbers of about normal distribution, row-major.
fn features(count: usize, seed: u64) -> Array2<f32> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    Array2::from_shape_fn((count, DIMENSION), |(_, column)| {
        let std = (1.0 + column as f64).powf(-DECAY / 2.0);
        // Four uniform numbers have a third of variance 1.
        let sum: f64 = (0..4).map(|_| uniform()).sum();
        (std * 3f64.sqrt() * sum) as f32
    })
}

fn statistics(features: &Array2<f32>) -> MeanCovariance {
    let mut moments = Moments::new(DIMENSION);
    moments
        .add_rows(features.view())
        .expect("finite features of this dimension");
    moments
        .mean_covariance(Ddof::Sample)
        .expect("more than one feature")
}

fn distances(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("2048 features");
    group.sample_size(SAMPLES);
    for count in COUNTS {
        let [a, b] = [1, 2].map(|seed| features(count, seed));
        let [a_statistics, b_statistics] = [&a, &b].map(statistics);
        group.bench_function(format!("Fréchet distance, {count} images"), |bencher| {
            bencher.iter(|| black_box(frechet_distance(&a_statistics, &b_statistics)));
        });
        group.bench_function(format!("KID, {count} images"), |bencher| {
            bencher.iter(|| black_box(kernel_distance(a.view(), b.view())));
        });
        group.bench_function(format!("precision and recall, {count} images"), |bencher| {
            bencher.iter(|| {
                let found = precision_recall(a.view(), b.view(), PRECISION_RECALL_NEIGHBORS);
                black_box(found)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, distances);
criterion_main!(benches);
