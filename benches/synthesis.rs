//! Throughput of the synthesis network in images per second.

mod measure;

use benches::{Error, Workload, official_generator, weights_folder};
use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use stylegan2::Generator;

fn group(criterion: &mut Criterion, generator: &Generator, batches: &[usize]) -> Result<(), Error> {
    let resolution = generator.synthesis.img_resolution();
    let workloads = batches.iter().map(|&batch| {
        let workload = Workload::Synthesis {
            generator: generator.clone(),
            batch,
        };
        (batch, workload)
    });
    measure::group(criterion, &format!("synthesis/{resolution}"), workloads)
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
