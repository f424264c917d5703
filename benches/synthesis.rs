//! Throughput of the synthesis network in images per second.

use std::time::Duration;

use benches::{Error, Step, Workload, official_generator, weights_folder};
use burn::tensor::Device;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use stylegan2::Generator;

/// Criterion's least; a pass at 1024x1024 takes seconds.
const SAMPLES: usize = 10;

fn group(criterion: &mut Criterion, generator: &Generator, batches: &[usize]) -> Result<(), Error> {
    let resolution = generator.synthesis.img_resolution();
    let mut group = criterion.benchmark_group(format!("synthesis/{resolution}"));
    group
        .sample_size(SAMPLES)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2));
    for &batch in batches {
        group.throughput(Throughput::Elements(batch as u64));
        let workload = Workload::Synthesis {
            generator: generator.clone(),
            batch,
        };
        let mut stepper = workload.start();
        stepper.run(1)?;
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter_custom(|count| {
                let steps = stepper
                    .run(count as usize)
                    .expect("the first pass has succeeded");
                steps.iter().map(|step: &Step| step.duration).sum()
            });
        });
    }
    group.finish();
    Ok(())
}

fn synthesis(criterion: &mut Criterion) {
    let device = Device::flex();
    let run = |criterion: &mut Criterion| -> Result<(), Error> {
        let zoo = Generator::load(
            weights_folder().join("zoo/funEmoji/generator.safetensors"),
            &device,
        )?;
        group(criterion, &zoo, &[1, 4, 16])?;
        group(
            criterion,
            &official_generator(256, 16384, &device)?,
            &[1, 4],
        )?;
        group(criterion, &official_generator(1024, 32768, &device)?, &[1])
    };
    if let Err(error) = run(criterion) {
        panic!("synthesis: {error}");
    }
}

criterion_group!(benches, synthesis);
criterion_main!(benches);
