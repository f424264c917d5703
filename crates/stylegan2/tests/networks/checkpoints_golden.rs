//! Files of PyTorch implementations give the images that those compute from them.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use checkpoint_file::{Checkpoint, StoredDType, StoredTensor};
use stylegan2::{
    Discriminator, DiscriminatorConfig, Generator, NoiseMode, Truncation, latents_from_seeds,
};
use testkit::{Golden, assert_close, devices, seeded};

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
        let c = expected
            .contains("c")
            .then(|| expected.tensor("c", &device));
        let logits = discriminator.forward(expected.tensor("image", &device), c);
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
        &values(generator.mapping.w_avg().unwrap()),
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
#[cfg_attr(target_os = "wasi", ignore = "there is no folder for temporary files")]
fn a_generator_from_other_names_is_saved_under_official_ones() {
    for (backend, device) in devices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("converted.safetensors");
        let original = Generator::load(checkpoint_path("rosinality.pt"), &device).unwrap();
        original
            .save(&path, checkpoint_file::FloatPrecision::F32)
            .unwrap();
        let saved = Checkpoint::open(&path).unwrap();
        let side = original.config().img_resolution;
        let last = format!("synthesis.b{side}.conv1.weight");
        assert!(saved.tensors().contains_key(&last));
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
        let distance: f32 = (mean - generator.mapping.w_avg().unwrap().unsqueeze())
            .powi_scalar(2)
            .sum()
            .into_scalar();
        // Two means over n samples differ by sqrt(2 variance / n) in the root mean square; three times as much is next
        // to impossible.
        let bound = 3.0 * (2.0 * variance / seeds.len() as f32).sqrt();
        assert!(
            distance.sqrt() <= bound,
            "{backend}: {} is above {bound}",
            distance.sqrt()
        );
    }
}

#[test]
fn missing_noise_images_are_drawn() {
    for (backend, device) in devices() {
        let original = Checkpoint::open(checkpoint_path("rosinality.pt")).unwrap();
        let early = original.rename(|name| (!name.contains(".noises.")).then(|| name.to_owned()));
        assert!(early.tensors().len() < original.tensors().len());
        let load = |file: &Checkpoint| Generator::from_checkpoint(file, &device).unwrap();
        let (found, other) = (load(&early), load(&original));
        assert_eq!(found.config(), other.config());
        let (mut count, mut squares) = (0.0, 0.0);
        for (name, tensor) in found.tensors() {
            if name.ends_with(".noise_const") {
                let image = tensor.to_f32();
                count += image.len() as f64;
                squares += image.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
                assert_ne!(tensor, other.tensors()[&name], "{backend}: {name}");
            } else {
                assert_eq!(tensor, other.tensors()[&name], "{backend}: {name}");
            }
        }
        // The mean of n squares of standard normal numbers has the variance 2 / n; five deviations are next to
        // impossible.
        let bound = 5.0 * (2.0 / count).sqrt();
        assert!((squares / count - 1.0).abs() < bound, "{}", squares / count);
        assert_eq!(found.tensors(), load(&early).tensors(), "always the same");
    }
}

fn refusal(file: &Checkpoint) -> String {
    let (_, device) = &devices()[0];
    Generator::from_checkpoint(file, device)
        .unwrap_err()
        .to_string()
}

#[test]
fn errors_name_the_tensors_as_the_file_does() {
    let original = Checkpoint::open(checkpoint_path("rosinality.pt")).unwrap();
    let with = |name: &str, tensor: Option<StoredTensor>| {
        let mut tensors = original.tensors().clone();
        tensors.remove(name);
        tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        Checkpoint::from_tensors("changed.pt", tensors, BTreeMap::new())
    };
    let one = || StoredTensor::from_f32(vec![1], &[1.0]);
    let kernel = "g_ema.convs.0.conv.blur.kernel";
    let taps = StoredTensor::new(StoredDType::I64, vec![1, 1], vec![0; 8]);
    for (name, tensor, part) in [
        // Not there, though another layer's is.
        ("g_ema.noises.noise_1", None, "missing"),
        ("g_ema.convs.0.activate.bias", None, "missing"),
        ("g_ema.convs.0.activate.bias", Some(one()), "expected ["),
        ("g_ema.conv1.conv.modulation.weight", None, "missing"),
        (kernel, Some(taps), "element type I64"),
        // What no such generator has, though the official one might.
        ("g_ema.style.01.weight", Some(one()), "not part"),
        ("g_ema.synthesis.b4.conv1.weight", Some(one()), "not part"),
        (
            "g_ema.synthesis.b4.resample_filter",
            Some(one()),
            "not part",
        ),
        ("g_ema.mapping.embed.weight", Some(one()), "not part"),
        ("g_ema.latent_avg", Some(one()), "expected ["),
        ("latent_avg", Some(one()), "expected ["),
    ] {
        let message = refusal(&with(name, tensor));
        assert!(
            message.contains("changed.pt") && message.contains(name) && message.contains(part),
            "{name}: {message}"
        );
    }
}

#[test]
fn labels_are_refused_also_where_the_average_of_w_is_to_be_estimated() {
    let original = Checkpoint::open(checkpoint_path("rosinality.pt")).unwrap();
    let mut tensors = original.tensors().clone();
    tensors.remove("latent_avg");
    let style_dim = tensors["g_ema.style.1.weight"].shape()[0];
    for (part, shape) in [("weight", vec![style_dim, 5]), ("bias", vec![style_dim])] {
        let zeros = vec![0.0; shape.iter().product()];
        let tensor = StoredTensor::from_f32(shape, &zeros);
        tensors.insert(format!("g_ema.mapping.embed.{part}"), tensor);
    }
    let labeled = Checkpoint::from_tensors("labelled.pt", tensors, BTreeMap::new());
    let message = refusal(&labeled);
    assert!(
        message.contains("2 tensors are not part") && message.contains("mapping.embed.bias"),
        "{message}"
    );
}

/// What rosinality's code calls a tensor of an official discriminator; its other filters are not stored.
fn rosinality_name(official: &str, resolutions: &[usize]) -> Option<String> {
    let (block, tensor) = official.strip_prefix('b')?.split_once('.')?;
    let resolution: usize = block.parse().ok()?;
    Some(match (resolution, tensor) {
        (4, "conv.weight") => "final_conv.0.weight".to_owned(),
        (4, "conv.bias") => "final_conv.1.bias".to_owned(),
        (4, "fc.weight") => "final_linear.0.weight".to_owned(),
        (4, "fc.bias") => "final_linear.0.bias".to_owned(),
        (4, "out.weight") => "final_linear.1.weight".to_owned(),
        (4, "out.bias") => "final_linear.1.bias".to_owned(),
        (_, "fromrgb.weight") => "convs.0.0.weight".to_owned(),
        (_, "fromrgb.bias") => "convs.0.1.bias".to_owned(),
        _ => {
            let index = 1 + resolutions.iter().position(|r| *r == resolution)?;
            let tensor = match tensor {
                "conv0.weight" => "conv1.0.weight",
                "conv0.bias" => "conv1.1.bias",
                "conv1.resample_filter" => "conv2.0.kernel",
                "conv1.weight" => "conv2.1.weight",
                "conv1.bias" => "conv2.2.bias",
                "skip.resample_filter" => "skip.0.kernel",
                "skip.weight" => "skip.1.weight",
                _ => return None,
            };
            format!("convs.{index}.{tensor}")
        }
    })
}

#[test]
fn a_discriminator_in_other_names_is_the_official_one() {
    for (backend, device) in devices() {
        // rosinality's has residual blocks and no labels.
        let config = DiscriminatorConfig::from_json(
            r#"{"c_dim": 0, "img_resolution": 32, "img_channels": 3, "channel_base": 256, "channel_max": 24}"#,
        )
        .unwrap();
        let initial = Discriminator::init(&config, 0, &device).unwrap();
        // Other values in every tensor, so that none can be taken for another.
        let official: BTreeMap<String, StoredTensor> = initial
            .tensors()
            .into_iter()
            .map(|(name, tensor)| {
                let tensor = if name.ends_with("resample_filter") {
                    tensor
                } else {
                    let shape = tensor.shape().to_vec();
                    let values = seeded(&name, shape.iter().product(), 1.0);
                    StoredTensor::from_f32(shape, &values)
                };
                (name, tensor)
            })
            .collect();
        let renamed: BTreeMap<String, StoredTensor> = official
            .iter()
            .filter_map(|(name, tensor)| {
                let name = rosinality_name(name, &[32, 16, 8])?;
                Some((format!("d.{name}"), tensor.clone()))
            })
            .collect();
        let load = |tensors: &BTreeMap<String, StoredTensor>| {
            let file = Checkpoint::from_tensors("d.pt", tensors.clone(), BTreeMap::new());
            Discriminator::from_checkpoint(&file, &device)
        };
        let (expected, found) = (load(&official).unwrap(), load(&renamed).unwrap());
        assert_eq!(found.tensors(), official, "{backend}");
        let image = || {
            let image = seeded("image", 4 * 3 * 32 * 32, 1.0);
            Tensor::from_data(TensorData::new(image, [4, 3, 32, 32]), &device)
        };
        assert_eq!(
            values(found.forward(image(), None)),
            values(expected.forward(image(), None)),
            "{backend}"
        );

        let mut without = renamed;
        without.remove("d.convs.2.conv2.2.bias");
        let message = load(&without).unwrap_err().to_string();
        assert!(message.contains("d.convs.2.conv2.2.bias"), "{message}");
    }
}
