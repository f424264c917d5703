//! Progressive growing: what a grown network keeps of the one it comes from.

use stylegan2::{
    Architecture, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, NoiseMode,
    Truncation, latents_from_seeds,
};
use stylegan2_ops::{Filter, upsample2d};
use testkit::{assert_close, devices};

use crate::values;

/// A few roundings of f32.
const ROUNDING: f64 = 1e-6;

fn generator_config(architecture: Architecture) -> GeneratorConfig {
    let mut config = GeneratorConfig::new(8)
        .with_z_dim(6)
        .with_w_dim(5)
        .with_mapping_layers(2)
        .with_channel_base(64)
        .with_channel_max(8);
    config.synthesis_kwargs.architecture = architecture;
    config
}

#[test]
fn a_grown_generator_makes_the_same_images_upsampled() {
    for (_, device) in devices() {
        let small = Generator::init(&generator_config(Architecture::Skip), 1, &device).unwrap();
        let grown = small.grown(32, 2, &device).unwrap();
        let z = || latents_from_seeds(&[3, 4], 6, &device);
        let noise = NoiseMode::None;
        let mut expected = small.forward(z(), None, Truncation::NONE, &noise);
        for _ in 0..2 {
            expected = upsample2d(
                expected,
                &Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]),
                2,
            );
        }
        let found = grown.forward(z(), None, Truncation::NONE, &noise);
        assert_eq!(found.dims(), [2, 3, 32, 32]);
        assert_close("grown", &values(found), &values(expected), ROUNDING);
        // The new layers can learn: all but the last layer's weights are random.
        let tensors = grown.tensors();
        let is_zero = |name: &str| tensors[name].to_f32().iter().all(|value| *value == 0.0);
        assert!(is_zero("synthesis.b32.torgb.weight"));
        for name in [
            "synthesis.b32.conv0.weight",
            "synthesis.b32.torgb.affine.weight",
            "synthesis.b8.torgb.weight",
        ] {
            assert!(!is_zero(name), "{name}");
        }
    }
}

#[test]
fn a_grown_discriminator_keeps_the_blocks_that_read_features() {
    let device = devices().remove(0).1;
    let config = DiscriminatorConfig::from_json(
        r#"{"c_dim": 0, "img_resolution": 8, "img_channels": 3, "channel_base": 64, "channel_max": 8}"#,
    )
    .unwrap();
    let small = Discriminator::init(&config, 1, &device).unwrap();
    let grown = small.grown(16, 2, &device).unwrap();
    let (before, after) = (small.tensors(), grown.tensors());
    for (name, tensor) in &before {
        match after.get(name) {
            Some(kept) => assert!(kept == tensor, "{name}"),
            None => assert!(name.starts_with("b8.fromrgb."), "{name}"),
        }
    }
    assert!(after.contains_key("b16.fromrgb.weight"));
}

#[test]
fn networks_that_cannot_grow_say_why() {
    let device = devices().remove(0).1;
    let small = Generator::init(&generator_config(Architecture::Skip), 1, &device).unwrap();
    for resolution in [4, 8, 24] {
        assert!(small.grown(resolution, 2, &device).is_err(), "{resolution}");
    }
    let residual = Generator::init(&generator_config(Architecture::Resnet), 1, &device).unwrap();
    let message = residual.grown(16, 2, &device).unwrap_err().to_string();
    assert!(message.contains("architecture is resnet"), "{message}");
}
