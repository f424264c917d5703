//! Throughput of the feature networks in images per second, images of the network's input size in [-1, 1].

mod measure;

use backbones::{EfficientNetLite0, FeatureNetworkKind};
use benches::{Error, TargetImages, Workload, feature_extractor, weights_folder};
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use criterion::{Criterion, criterion_group, criterion_main};

const BATCHES: [usize; 2] = [1, 16];

fn features(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut run = || -> Result<(), Error> {
        let file = weights_folder().join("features/efficientnet_lite0.safetensors");
        let kind = FeatureNetworkKind::EfficientNetLite0;
        let extractor = feature_extractor(kind, &Checkpoint::open(file)?, &device)?;
        let resolution = EfficientNetLite0::INPUT_SIZE;
        let workloads = BATCHES.map(|batch| {
            let images = TargetImages { batch, resolution }.tensor(&device);
            let workload = Workload::Features {
                extractor: extractor.clone(),
                images,
            };
            (batch, workload)
        });
        measure::group(
            criterion,
            &format!("features/{kind}/{resolution}"),
            workloads,
        )
    };
    if let Err(error) = run() {
        panic!("features: {error}");
    }
}

criterion_group!(benches, features);
criterion_main!(benches);
