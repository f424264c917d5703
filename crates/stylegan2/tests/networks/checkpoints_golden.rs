//! Files of PyTorch implementations give the images that those compute from them.

use burn::tensor::Device;
use checkpoint::Checkpoint;
use stylegan2::{Discriminator, Generator, NoiseMode, Truncation, latents_from_seeds};
use testkit::{Golden, assert_close, devices};

use crate::{OUTPUT_TOLERANCE, fixture, values};

fn checkpoint_path(file: &str) -> std::path::PathBuf {
    testkit::reference_path(env!("CARGO_MANIFEST_DIR"), &format!("checkpoints/{file}"))
}

fn golden(file: &str) -> Golden {
    Golden::open(env!("CARGO_MANIFEST_DIR"), file)
}

#[test]
fn the_official_pickle_holds_the_reference_generator() {
    for (backend, device) in devices() {
        let generator = Generator::load(checkpoint_path("nvidia_ada.pkl"), &device).unwrap();
        let same = Generator::load(fixture("generator_skip.safetensors"), &device).unwrap();
        assert_eq!(generator.config(), same.config());
        assert_eq!(generator.tensors(), same.tensors(), "weights, bit for bit");
        let expected = golden("stylegan2/generator_skip.expected.safetensors");
        let image = generator
            .synthesis
            .forward(expected.tensor("w_plus", &device), &NoiseMode::Constant);
        assert_close(
            &format!("{backend} image of the pickle's G_ema"),
            &values(image),
            &expected.values("image_w_plus_const"),
            OUTPUT_TOLERANCE,
        );
    }
}

#[test]
fn the_official_pickle_holds_the_reference_discriminator() {
    for (backend, device) in devices() {
        let discriminator =
            Discriminator::load(checkpoint_path("nvidia_ada.pkl"), &device).unwrap();
        let same =
            Discriminator::load(fixture("discriminator_resnet.safetensors"), &device).unwrap();
        assert_eq!(discriminator.config(), same.config());
        assert_eq!(
            discriminator.tensors(),
            same.tensors(),
            "weights, bit for bit"
        );
        let expected = golden("stylegan2/discriminator_resnet.expected.safetensors");
        let logits = discriminator.forward(expected.tensor("image", &device), None);
        assert_close(
            &format!("{backend} logits of the pickle's D"),
            &values(logits),
            &expected.values("logits"),
            OUTPUT_TOLERANCE,
        );
    }
}

#[test]
fn rosinality_checkpoints_of_both_formats_give_the_reference_images() {
    for (backend, device) in devices() {
        for file in ["rosinality.pt", "rosinality_legacy.pt"] {
            let generator = Generator::load(checkpoint_path(file), &device).unwrap();
            assert_rosinality_images(&generator, &format!("{backend} {file}"), &device);
        }
    }
}

fn assert_rosinality_images(generator: &Generator, what: &str, device: &Device) {
    let expected = golden("checkpoints/rosinality.expected.safetensors");
    let config = expected.metadata_json("config");
    assert_eq!(generator.config().img_resolution, config["size"]);
    assert_eq!(generator.config().w_dim, config["style_dim"]);
    assert_eq!(
        generator.config().mapping_kwargs.num_layers,
        config["n_mlp"]
    );
    assert_close(
        &format!("{what} latent_avg"),
        &values(generator.mapping.w_avg()),
        &expected.values("latent_avg"),
        // Copied, not computed.
        0.0,
    );
    for (truncation, latents, image) in [
        (Truncation::NONE, "w_plus", "image"),
        (Truncation::psi(0.7), "w_plus_psi07", "image_psi07"),
    ] {
        let z = expected.tensor("z", device);
        let w_plus = generator.mapping.forward(z, None, truncation);
        assert_close(
            &format!("{what} {latents}"),
            &values(w_plus.clone()),
            &expected.values(latents),
            OUTPUT_TOLERANCE,
        );
        assert_close(
            &format!("{what} {image}"),
            &values(generator.synthesis.forward(w_plus, &NoiseMode::Constant)),
            &expected.values(image),
            OUTPUT_TOLERANCE,
        );
    }
}

#[test]
fn a_generator_from_other_names_is_saved_under_official_ones() {
    for (backend, device) in devices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("converted.safetensors");
        Generator::load(checkpoint_path("rosinality.pt"), &device)
            .unwrap()
            .save(&path, checkpoint::FloatPrecision::F32)
            .unwrap();
        let saved = Checkpoint::open(&path).unwrap();
        assert!(saved.tensors().contains_key("synthesis.b16.conv1.weight"));
        let generator = Generator::load(&path, &device).unwrap();
        assert_rosinality_images(&generator, &format!("{backend} converted"), &device);
    }
}

#[test]
fn a_missing_average_of_w_is_estimated() {
    for (backend, device) in devices() {
        let trained = Checkpoint::open(checkpoint_path("rosinality.pt"))
            .unwrap()
            .rename(|name| (name != "latent_avg").then(|| name.to_owned()));
        let generator = Generator::from_checkpoint(&trained, &device).unwrap();
        // Seeds that the estimate does not use.
        let seeds: Vec<u32> = (10_000..14_096).collect();
        let z = latents_from_seeds(&seeds, generator.config().z_dim, &device);
        let w = generator.mapping.w(z, None);
        let mean = w.clone().mean_dim(0);
        let variance: f32 = (w - mean.clone())
            .powi_scalar(2)
            .mean_dim(0)
            .sum()
            .into_scalar();
        let distance: f32 = (mean - generator.mapping.w_avg().unsqueeze())
            .powi_scalar(2)
            .sum()
            .into_scalar();
        // Two means over n samples differ by sqrt(2 variance / n) in the root mean square; three times as much is next to impossible.
        let bound = 3.0 * (2.0 * variance / seeds.len() as f32).sqrt();
        assert!(
            distance.sqrt() <= bound,
            "{backend}: {} is above {bound}",
            distance.sqrt()
        );
    }
}

#[test]
fn tensors_that_no_generator_has_are_refused() {
    let (_, device) = &devices()[0];
    let original = Checkpoint::open(checkpoint_path("rosinality.pt")).unwrap();
    let renamed =
        original.rename(|name| Some(name.replace("convs.0.noise.weight", "convs.0.noise.gain")));
    let message = Generator::from_checkpoint(&renamed, device)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("rosinality.pt") && message.contains("noise_strength"),
        "{message}"
    );
    let extended = original.rename(|name| {
        Some(if name.ends_with("to_rgb1.bias") {
            "g_ema.to_rgb1.gain".into()
        } else {
            name.to_owned()
        })
    });
    assert!(Generator::from_checkpoint(&extended, device).is_err());
}
