//! The networks of the reference trajectories: a small generator, and LPIPS with a seeded SqueezeNet and the published
//! heads.

use std::collections::BTreeMap;
use std::path::Path;

use backbones::SqueezeNet;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, StoredTensor};
use inversion::{Inversion, InversionConfig, InversionError, Progress, Schedule, Step};
use lpips::{Lpips, LpipsNetwork, Version};
use stylegan2::{Generator, GeneratorConfig};
use testkit::{Golden, reference_path, seeded};

pub struct Model {
    pub generator: Generator,
    pub lpips: Lpips,
}

impl Model {
    pub fn new(device: &Device) -> Self {
        Self::with_generator("stylegan2/generator_skip.safetensors", device)
    }

    pub fn with_generator(file: &str, device: &Device) -> Self {
        let path = reference_path(env!("CARGO_MANIFEST_DIR"), file);
        Self {
            generator: Generator::load(path, device).unwrap(),
            lpips: seeded_squeeze(device),
        }
    }

    /// A new generator of gray images with the reference's LPIPS.
    pub fn gray(device: &Device) -> Self {
        Self::of(
            r#"{"z_dim": 16, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 1,
                "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 256}}"#,
            device,
        )
    }

    /// A new generator of images with opacity with the reference's LPIPS.
    pub fn with_opacity(device: &Device) -> Self {
        Self::of(
            r#"{"z_dim": 16, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 4,
                "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 256}}"#,
            device,
        )
    }

    /// A new generator that adds no noise, with the reference's LPIPS.
    pub fn without_noise(device: &Device) -> Self {
        Self::of(
            r#"{"z_dim": 16, "c_dim": 0, "w_dim": 16, "img_resolution": 32, "img_channels": 3,
                "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 256, "use_noise": false}}"#,
            device,
        )
    }

    /// The reference generator with an opacity that is 1 everywhere.
    pub fn opaque(device: &Device) -> Self {
        let Self { generator, lpips } = Self::new(device);
        let last = format!("b{}.torgb.bias", generator.synthesis.img_resolution());
        let tensors = generator.tensors().into_iter().map(|(name, tensor)| {
            let is_bias = name.ends_with("torgb.bias");
            if !is_bias && !name.ends_with("torgb.weight") {
                return (name, tensor);
            }
            let mut shape = tensor.shape().to_vec();
            let mut values = tensor.to_f32();
            // Only the last block's bias reaches the borders unfiltered; it is well above the 1 of an opaque pixel.
            let opacity = if name.ends_with(&last) { 2.0 } else { 0.0 };
            values.extend(vec![opacity; values.len() / shape[0]]);
            shape[0] += 1;
            (name, StoredTensor::from_f32(shape, &values))
        });
        let mut config: serde_json::Value =
            serde_json::from_str(&generator.config().to_json()).unwrap();
        config["img_channels"] = 4.into();
        let metadata = BTreeMap::from([("config".to_owned(), config.to_string())]);
        let file = Checkpoint::from_tensors("with opacity", tensors.collect(), metadata);
        Self {
            generator: Generator::from_checkpoint(&file, device).unwrap(),
            lpips,
        }
    }

    fn of(config: &str, device: &Device) -> Self {
        let config = GeneratorConfig::from_json(config).unwrap();
        Self {
            generator: Generator::init(&config, 0, device).unwrap(),
            lpips: seeded_squeeze(device),
        }
    }

    pub fn invert(
        &self,
        targets: Tensor<4>,
        config: &InversionConfig,
    ) -> Result<Vec<Inversion>, InversionError> {
        inversion::invert(&self.generator, &self.lpips, targets, config)
    }
}

/// The step that a search from a fixed start reports.
pub fn step_of<'a, 'b>(progress: &'b Progress<'a>) -> &'b Step<'a> {
    match progress {
        Progress::Step(step) => step,
        other => panic!("expected a step, found {other:?}"),
    }
}

/// Few steps at a constant rate, for tests of properties.
pub fn short() -> InversionConfig {
    InversionConfig {
        steps: 6,
        schedule: Schedule::Constant,
        ..InversionConfig::default()
    }
}

pub fn expected() -> Golden {
    Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "inversion/inversion.expected.safetensors",
    )
}

/// The reference targets, as many as the file has.
pub fn targets(device: &Device) -> Tensor<4> {
    expected().tensor("target", device)
}

pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .unwrap()
}

fn seeded_squeeze(device: &Device) -> Lpips {
    let heads = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../weights/features/lpips_v0.1_squeeze.safetensors");
    let weights = SqueezeNet::init(device)
        .tensors()
        .into_iter()
        .map(|(key, zero)| {
            let shape = zero.shape().to_vec();
            // The reference's rule: biases have standard deviation 0.1, weights sqrt(2 / fan_in).
            let std = match shape.len() {
                1 => 0.1,
                _ => (2.0 / shape[1..].iter().product::<usize>() as f64).sqrt(),
            };
            let values = seeded(&format!("squeeze/{key}"), shape.iter().product(), std);
            (key, StoredTensor::from_f32(shape, &values))
        });
    let weights = Checkpoint::from_tensors("seeded SqueezeNet", weights.collect(), BTreeMap::new());
    let heads = Checkpoint::open(heads).unwrap();
    Lpips::from_checkpoints(
        LpipsNetwork::SqueezeNet,
        Version::V0_1,
        &weights,
        Some(&heads),
        device,
    )
    .unwrap()
}
