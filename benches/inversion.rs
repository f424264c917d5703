//! Throughput of inversion in image-steps per second: W+, LPIPS + MSE, Adam; two families of models, several batches.

mod measure;

use benches::{Error, TargetImages, Workload, official_generator, weights_folder};
use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use lpips::{Lpips, LpipsNetwork, Version};
use stylegan2::Generator;

const BATCHES: [usize; 3] = [1, 4, 16];

fn group(
    criterion: &mut Criterion,
    name: &str,
    generator: &Generator,
    network: LpipsNetwork,
    batches: &[usize],
) -> Result<(), Error> {
    let device = Device::flex();
    let lpips = Lpips::load(
        network,
        Version::V0_1,
        weights_folder().join("features"),
        &device,
    )?;
    let workloads = batches.iter().map(|&batch| {
        let targets = TargetImages {
            batch,
            resolution: generator.synthesis.img_resolution(),
        };
        let workload = Workload::Inversion {
            generator: generator.clone(),
            lpips: lpips.clone(),
            targets: targets.tensor(&device),
        };
        (batch, workload)
    });
    measure::group(criterion, &format!("inversion/{name}/{network}"), workloads)
}

fn inversion(criterion: &mut Criterion) {
    let device = Device::flex();
    let run = |criterion: &mut Criterion| -> Result<(), Error> {
        let zoo = Generator::load(
            weights_folder().join("zoo/funEmoji/generator.safetensors"),
            &device,
        )?;
        group(criterion, "64", &zoo, LpipsNetwork::AlexNet, &BATCHES)?;
        let medium = official_generator(256, 16384, &device)?;
        group(criterion, "256", &medium, LpipsNetwork::AlexNet, &BATCHES)?;
        group(
            criterion,
            "256",
            &medium,
            LpipsNetwork::Vgg16,
            &BATCHES[..1],
        )
    };
    if let Err(error) = run(criterion) {
        panic!("inversion: {error}");
    }
}

criterion_group!(benches, inversion);
criterion_main!(benches);
