//! A model with random weights, for tests: small, but large enough for LPIPS.

use std::path::Path;

use burn::tensor::Device;
use lpips::{Lpips, LpipsNetwork, Version};
use stylegan2::{Generator, GeneratorConfig};

use crate::{Model, Weights};

/// The model, as if it lay in `folder`.
pub fn model(folder: &Path, device: &Device) -> Model {
    let config = GeneratorConfig::new(32)
        .with_z_dim(8)
        .with_w_dim(8)
        .with_mapping_layers(2)
        .with_channel_base(256)
        .with_channel_max(16);
    Model {
        name: "small".into(),
        path: folder.join("generator.safetensors"),
        generator: Generator::init(&config, 3, device).expect("so is its size"),
    }
}

/// LPIPS with the repository's weights.
pub fn metric(device: &Device) -> Lpips {
    let features = Weights::open(None)
        .expect("the repository has its weights")
        .features();
    Lpips::load(LpipsNetwork::AlexNet, Version::V0_1, features, device)
        .expect("the repository has the metric's weights")
}
