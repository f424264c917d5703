//! Files of PyTorch implementations give the images that those compute from them.

use burn::tensor::Device;
use checkpoint::Checkpoint;
use stylegan2::{Discriminator, Generator, NoiseMode, Truncation};
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
