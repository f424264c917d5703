//! Ranking synthetic models: build, open, latency of 1 and of 100 queries, share of the memory bandwidth, recall of the
//! shortlist.
//!
//! d = 256, packed triangles in f16, as an index of pooled image features has them. 259 models, the number of the
//! published zoo, and 10,000; 100,000 (6.9 GB on the disk and in the page cache) when `RETRIEVAL_BENCH_MODELS=100000`
//! is set.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use feature_stats::MeanCovariance;
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use retrieval_gaussian::{
    Index, IndexBuilder, IndexFile, IndexPrecision, IndexSettings, Query, Ranking, RetrievalMethod,
    SearchOptions, Verification,
};

const DIMENSION: usize = 256;

/// Directions besides the axes in which a model varies: its covariance is a diagonal plus a matrix of this rank.
const RANK: usize = 8;

/// Models that share a center, up to a smaller offset, as models that were fine-tuned from one parent do.
const FAMILY: usize = 1000;

const ALWAYS: [usize; 2] = [259, 10_000];

/// More numbers of models, separated by commas.
const MORE_MODELS: &str = "RETRIEVAL_BENCH_MODELS";

/// Models that are factored before they are appended: 70 MB.
const BATCH: usize = 1000;

/// Larger indices are timed only beside criterion, whose samples would take many minutes.
const SAMPLED: usize = 10_000;

const MANY_QUERIES: usize = 100;

const SHORTLISTS: [usize; 3] = [100, 500, 1000];

/// Far beyond the last-level cache.
const BANDWIDTH_BYTES: usize = 1 << 29;

/// Of the times beside criterion's own the least of this many is taken: a machine that does other things too only makes
/// them longer.
const REPEATS: usize = 7;

/// splitmix64 to uniform numbers of mean 0 and variance 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let uniform = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        12f64.sqrt() * (uniform - 0.5)
    }

    fn vector(&mut self, scale: f64) -> Array1<f64> {
        Array1::from_shape_fn(DIMENSION, |_| scale * self.next())
    }
}

/// A model with features of length about 1: center of its family 0.6, own offset 0.1, spread about 0.6.
///
/// Within a family the means alone say little, which is what a shortlist by means has to cope with.
struct Synthetic {
    mean: Array1<f64>,
    deviations: Array1<f64>,
    directions: Array2<f64>,
}

impl Synthetic {
    fn new(number: usize) -> Self {
        let unit = 1.0 / (DIMENSION as f64).sqrt();
        let mut family = Random(0xFA_0000 + (number / FAMILY) as u64);
        let mut own = Random(0x3000_0000 + number as u64);
        let mean = family.vector(0.6 * unit) + own.vector(0.1 * unit);
        let deviations = Array1::from_shape_fn(DIMENSION, |i| {
            0.8 * unit * (0.5 + own.next().abs()) / (1.0 + i as f64 / 64.0)
        });
        let directions = Array2::from_shape_fn((DIMENSION, RANK), |_| 0.2 * unit * own.next());
        Self {
            mean,
            deviations,
            directions,
        }
    }

    fn statistics(&self) -> MeanCovariance {
        let mut covariance = self.directions.dot(&self.directions.t());
        for (value, deviation) in covariance.diag_mut().iter_mut().zip(&self.deviations) {
            *value += deviation * deviation;
        }
        MeanCovariance::new(self.mean.clone(), covariance).expect("symmetric and finite")
    }

    fn sample(&self, random: &mut Random) -> Vec<f32> {
        let coordinates = Array1::from_shape_fn(RANK, |_| random.next());
        let row = &self.mean
            + &self.directions.dot(&coordinates)
            + &self.deviations * &random.vector(1.0);
        row.iter().map(|v| *v as f32).collect()
    }
}

fn build(path: &Path, count: usize) -> Result<Duration, Box<dyn std::error::Error>> {
    let settings = IndexSettings::new(DIMENSION).with_precision(IndexPrecision::F16);
    let mut time = Duration::ZERO;
    let mut file = IndexFile::create(path, &settings)?;
    for first in (0..count).step_by(BATCH) {
        let models: Vec<(String, MeanCovariance)> = (first..count.min(first + BATCH))
            .into_par_iter()
            .map(|number| {
                (
                    format!("model {number}"),
                    Synthetic::new(number).statistics(),
                )
            })
            .collect();
        // Making the statistics is not what is measured.
        let start = Instant::now();
        let mut builder = IndexBuilder::new(settings.clone())?;
        for (name, statistics) in &models {
            builder.add(name, statistics)?;
        }
        file.append(&builder)?;
        time += start.elapsed();
    }
    Ok(time)
}

fn fastest<T>(mut work: impl FnMut() -> T) -> Duration {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

/// Bytes a second at which all threads together read memory in order.
fn bandwidth(buffer: &[u64]) -> f64 {
    let time = fastest(|| {
        buffer
            .par_chunks(1 << 17)
            .map(|chunk| chunk.iter().fold(0u64, |sum, v| sum.wrapping_add(*v)))
            .reduce(|| 0, u64::wrapping_add)
    });
    size_of_val(buffer) as f64 / time.as_secs_f64()
}

/// Share of queries whose best model in one list of rankings is also the best in the other.
fn agreement(exact: &[Ranking], short: &[Ranking]) -> f64 {
    let best = |ranking: &Ranking| ranking.models.first().map(|m| m.model.clone());
    let same = exact
        .iter()
        .zip(short)
        .filter(|(a, b)| best(a) == best(b))
        .count();
    same as f64 / exact.len() as f64
}

/// Criterion's own samples of both latencies.
fn sample(criterion: &mut Criterion, index: &Index, queries: &[Query], options: &SearchOptions) {
    let mut group = criterion.benchmark_group(format!("retrieval/{}", index.len()));
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Bytes(index.size_in_bytes()));
    group.bench_function("1 query", |b| b.iter(|| index.search(&queries[0], options)));
    group.throughput(Throughput::Elements((index.len() * queries.len()) as u64));
    group.bench_function("100 queries", |b| {
        b.iter(|| index.search_many(queries, options))
    });
    group.finish();
}

fn measure(criterion: &mut Criterion, count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("index");
    let build_time = build(&path, count)?;
    let open_full = fastest(|| Index::open(&path));
    let open_tables = fastest(|| Index::open_with(&path, Verification::Tables));
    let index = Index::open(&path)?;
    let mut random = Random(1);
    let queries: Vec<Query> = (0..MANY_QUERIES)
        .map(|i| Query::feature(&Synthetic::new(i * 7919 % count).sample(&mut random)))
        .collect();
    let exact = SearchOptions {
        limit: Some(10),
        ..SearchOptions::new(RetrievalMethod::GaussianDensity)
    };

    if count <= SAMPLED {
        sample(criterion, &index, &queries, &exact);
    }
    let buffer = vec![1u64; BANDWIDTH_BYTES / size_of::<u64>()];
    let before = bandwidth(&buffer);
    let one = fastest(|| index.search(&queries[0], &exact));
    let bandwidth = before.max(bandwidth(&buffer));
    drop(buffer);
    let many = fastest(|| index.search_many(&queries, &exact));
    let reached = index.size_in_bytes() as f64 / one.as_secs_f64();
    println!(
        "| models | MB | build s | open, all checked ms | open, tables ms | 1 query ms | 100 queries ms | GB/s | of read bandwidth |"
    );
    println!(
        "| {count} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} | {:.1} | {:.0} % of {:.1} GB/s |",
        index.size_in_bytes() as f64 / 1e6,
        build_time.as_secs_f64(),
        open_full.as_secs_f64() * 1e3,
        open_tables.as_secs_f64() * 1e3,
        one.as_secs_f64() * 1e3,
        many.as_secs_f64() * 1e3,
        reached / 1e9,
        100.0 * reached / bandwidth,
        bandwidth / 1e9,
    );
    let exact_rankings = index.search_many(&queries, &exact)?;
    for length in SHORTLISTS.into_iter().filter(|length| *length < count) {
        let short = SearchOptions {
            shortlist: Some(length),
            ..exact
        };
        let time = fastest(|| index.search(&queries[0], &short));
        let recall = agreement(&exact_rankings, &index.search_many(&queries, &short)?);
        println!(
            "shortlist of {length} of {count}: {:.2} ms, recall of the best {recall:.2}",
            time.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

fn retrieval(criterion: &mut Criterion) {
    let more = std::env::var(MORE_MODELS).unwrap_or_default();
    let more = more.split(',').filter(|n| !n.is_empty()).map(|n| {
        n.parse().unwrap_or_else(|_| {
            panic!("{MORE_MODELS} is {n:?}, expected numbers of models separated by commas")
        })
    });
    for count in ALWAYS.into_iter().chain(more) {
        if let Err(error) = measure(criterion, count) {
            panic!("retrieval of {count} models: {error}");
        }
    }
}

criterion_group!(benches, retrieval);
criterion_main!(benches);
