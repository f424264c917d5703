//! Throughput of inversion in image-steps per second: W+, LPIPS + MSE, Adam; two families of models, several batches.

use std::time::Duration;

use benches::{Error, Step, TargetImages, Workload, official_generator, weights_folder};
use burn::tensor::Device;
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use lpips::{Lpips, Network, Version};
use stylegan2::Generator;

const BATCHES: [usize; 3] = [1, 4, 16];
/// Criterion's least; a step at 256x256 and batch 16 takes seconds.
const SAMPLES: usize = 10;

fn group(
    criterion: &mut Criterion,
    name: &str,
    generator: &Generator,
    network: Network,
    batches: &[usize],
) -> Result<(), Error> {
    let device = Device::flex();
    let lpips = Lpips::load(
        network,
        Version::V0_1,
        weights_folder().join("features"),
        &device,
    )?;
    let mut group = criterion.benchmark_group(format!("inversion/{name}/{network}"));
    group
        .sample_size(SAMPLES)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2));
    for &batch in batches {
        group.throughput(Throughput::Elements(batch as u64));
        let workload = Workload::Inversion {
            generator: generator.clone(),
            lpips: lpips.clone(),
            targets: TargetImages {
                batch,
                resolution: generator.synthesis.img_resolution(),
            }
            .tensor(&device),
        };
        let mut stepper = workload.start();
        // The first step computes the targets' features.
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

fn inversion(criterion: &mut Criterion) {
    let device = Device::flex();
    let run = |criterion: &mut Criterion| -> Result<(), Error> {
        let zoo = Generator::load(
            weights_folder().join("zoo/funEmoji/generator.safetensors"),
            &device,
        )?;
        group(criterion, "64", &zoo, Network::AlexNet, &BATCHES)?;
        let medium = official_generator(256, 16384, &device)?;
        group(criterion, "256", &medium, Network::AlexNet, &BATCHES)?;
        group(criterion, "256", &medium, Network::Vgg16, &BATCHES[..1])
    };
    if let Err(error) = run(criterion) {
        panic!("inversion: {error}");
    }
}

criterion_group!(benches, inversion);
criterion_main!(benches);
