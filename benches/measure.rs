use std::time::Duration;

use benches::{Error, Step, Workload};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

/// Criterion's least; the slowest workloads take seconds a step.
const SAMPLES: usize = 10;

/// Measures workloads, each with its batch size, in images per second.
///
/// The workloads time their own steps, after one that is not counted: it computes what later ones use again. The
/// allocator is that of the programs.
pub fn group(
    criterion: &mut Criterion,
    name: &str,
    workloads: impl IntoIterator<Item = (usize, Workload)>,
) -> Result<(), Error> {
    program_allocator::begin();
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(SAMPLES)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2));
    for (batch, workload) in workloads {
        group.throughput(Throughput::Elements(batch as u64));
        let mut stepper = workload.start();
        stepper.run(1)?;
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter_custom(|count| {
                let steps = stepper
                    .run(count as usize)
                    .expect("the first step has succeeded");
                steps.iter().map(|step: &Step| step.duration).sum()
            });
        });
    }
    group.finish();
    Ok(())
}
