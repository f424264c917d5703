//! The networks under test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use backbones::{AlexNet, SqueezeNet, Vgg16};
use burn::tensor::Device;
use checkpoint_file::{Checkpoint, StoredTensor};
use lpips::{Lpips, LpipsNetwork, Version};

pub const NETWORKS: [LpipsNetwork; 3] = [
    LpipsNetwork::AlexNet,
    LpipsNetwork::Vgg16,
    LpipsNetwork::SqueezeNet,
];

/// The weights that the repository ships.
pub fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../weights/features")
}

/// The seeded network with the real heads.
pub fn seeded_lpips(network: LpipsNetwork, version: Version, device: &Device) -> Lpips {
    let heads = format!("lpips_v{}_{network}.safetensors", version.name());
    let heads = Checkpoint::open(shipped().join(heads)).unwrap();
    Lpips::from_checkpoints(
        network,
        version,
        &seeded_network(network),
        Some(&heads),
        device,
    )
    .unwrap()
}

/// A network whose weights follow from their names: biases have standard deviation 0.1, weights sqrt(2 / fan_in).
pub fn seeded_network(network: LpipsNetwork) -> Checkpoint {
    let device = Device::flex();
    let zeros = match network {
        LpipsNetwork::AlexNet => AlexNet::init(&device).tensors(),
        LpipsNetwork::Vgg16 => Vgg16::init(&device).tensors(),
        LpipsNetwork::SqueezeNet => SqueezeNet::init(&device).tensors(),
    };
    let tensors = zeros.iter().map(|(key, zero)| {
        let shape = zero.shape();
        let fan_in: usize = shape[1..].iter().product();
        let std = match shape.len() {
            1 => 0.1,
            _ => (2.0 / fan_in as f64).sqrt(),
        };
        let values = testkit::seeded(&format!("{network}/{key}"), shape.iter().product(), std);
        (key.clone(), StoredTensor::from_f32(shape.to_vec(), &values))
    });
    Checkpoint::from_tensors("seeded", tensors.collect(), BTreeMap::new())
}
