//! Reading and writing networks: round trips, inferred configurations, and files that must be refused.

use std::collections::BTreeMap;

use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor};
use stylegan2::{
    Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, MappingConfig, NoiseMode,
    StyleGan2Error, Truncation, latents_from_seeds,
};
use testkit::{assert_close, devices};

use crate::{case_names, fixture, values};

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(fixture(&format!("{name}.safetensors"))).unwrap()
}

/// The checkpoint with its tensors and metadata changed.
fn changed(
    checkpoint: &Checkpoint,
    change: impl FnOnce(&mut BTreeMap<String, StoredTensor>, &mut BTreeMap<String, String>),
) -> Checkpoint {
    let mut tensors = checkpoint.tensors().clone();
    let mut metadata = checkpoint.metadata().clone();
    change(&mut tensors, &mut metadata);
    Checkpoint::from_tensors("changed.safetensors", tensors, metadata)
}

fn generator_error(checkpoint: &Checkpoint) -> String {
    let (_, device) = devices().remove(0);
    match Generator::from_checkpoint(checkpoint, &device) {
        Ok(_) => panic!("must be refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there is no folder for temporary files")]
fn saved_networks_have_the_official_tensors_bit_for_bit() {
    let (_, device) = devices().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    for name in case_names("") {
        let official = match fixture(&format!("{name}.safetensors")) {
            path if path.exists() => Checkpoint::open(path).unwrap(),
            // Kernel cases have no network.
            _ => continue,
        };
        let config = if name.starts_with("generator") {
            let generator = Generator::from_checkpoint(&official, &device).unwrap();
            generator.save(&path, FloatPrecision::F32).unwrap();
            generator.config().to_json()
        } else {
            let discriminator = Discriminator::from_checkpoint(&official, &device).unwrap();
            discriminator.save(&path, FloatPrecision::F32).unwrap();
            discriminator.config().to_json()
        };
        let saved = Checkpoint::open(&path).unwrap();
        assert!(saved.tensors() == official.tensors(), "{name}");
        assert_eq!(saved.metadata()["config"], config);
    }
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there is no folder for temporary files")]
fn half_precision_files_load_as_f32_and_give_nearly_the_same_image() {
    let (_, device) = devices().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    for name in case_names("generator_") {
        let generator = Generator::load(fixture(&format!("{name}.safetensors")), &device).unwrap();
        generator.save(&path, FloatPrecision::F16).unwrap();
        let half = Generator::load(&path, &device).unwrap();
        let z = || latents_from_seeds(&[1], generator.config().z_dim, &device);
        let c_dim = generator.config().c_dim;
        let c = || (c_dim > 0).then(|| burn::tensor::Tensor::ones([1, c_dim], &device));
        let image =
            |g: &Generator| values(g.forward(z(), c(), Truncation::NONE, &NoiseMode::Constant));
        // f16 keeps 11 bits, 5e-4 per weight; errors of many weights partly cancel.
        assert_close(&name, &image(&half), &image(&generator), 5e-3);
    }
}

/// 4, 8, ... up to the image's.
fn resolutions(last: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(4), |resolution| Some(resolution * 2))
        .take_while(move |resolution| *resolution <= last)
}

/// What the options of a mapping network leave in names and shapes: layers, features between them, and those of an
/// embedded label.
fn mapping_shape(
    mapping: &MappingConfig,
    c_dim: usize,
    w_dim: usize,
) -> (usize, Option<usize>, Option<usize>) {
    let features = |option: Option<usize>| option.unwrap_or(w_dim);
    (
        mapping.num_layers,
        (mapping.num_layers > 1).then(|| features(mapping.layer_features)),
        (c_dim > 0).then(|| features(mapping.embed_features)),
    )
}

#[test]
#[cfg_attr(target_os = "wasi", ignore = "there is no folder for temporary files")]
fn feature_maps_that_follow_no_rule_are_inferred_and_written() {
    let (_, device) = devices().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    // A table written by hand, and rosinality's with a channel multiplier of 3: more features at 64x64 than before.
    for (side, table) in [
        (16, vec![(4, 16), (8, 12), (16, 12)]),
        (32, vec![(4, 8), (8, 8), (16, 12), (32, 6)]),
    ] {
        let table: BTreeMap<usize, usize> = table.into_iter().collect();
        let mut generator = GeneratorConfig::new(side)
            .with_z_dim(8)
            .with_w_dim(8)
            .with_mapping_layers(1);
        generator.synthesis_kwargs.channels = Some(table.clone());
        let discriminator = DiscriminatorConfig::for_generator(&generator);
        let generator = Generator::init(&generator, 0, &device).unwrap();
        let discriminator = Discriminator::init(&discriminator, 0, &device).unwrap();
        let last = format!("synthesis.b{side}.conv1.weight");
        assert_eq!(generator.tensors()[&last].shape()[0], table[&side]);

        generator.save(&path, FloatPrecision::F32).unwrap();
        let saved = Generator::load(&path, &device).unwrap();
        assert_eq!(saved.config(), generator.config());
        let bare = changed(&Checkpoint::open(&path).unwrap(), |_, metadata| {
            metadata.clear();
        });
        let inferred = Generator::from_checkpoint(&bare, &device).unwrap();
        assert_eq!(
            inferred.config().synthesis_kwargs.channels.as_ref(),
            Some(&table)
        );
        assert!(inferred.tensors() == generator.tensors());

        discriminator.save(&path, FloatPrecision::F32).unwrap();
        let bare = changed(&Checkpoint::open(&path).unwrap(), |_, metadata| {
            metadata.clear();
        });
        let inferred = Discriminator::from_checkpoint(&bare, &device).unwrap();
        assert_eq!(inferred.config().channels.as_ref(), Some(&table));
        assert!(inferred.tensors() == discriminator.tensors());
    }
    // Where the rule holds, only the official options are written.
    let config = open(&case_names("generator_")[0]).metadata()["config"].clone();
    let json = GeneratorConfig::from_json(&config).unwrap().to_json();
    assert!(!json.contains("\"channels\""), "{json}");
    for channels in [
        r#"{"6": 8}"#,
        r#"{"64": 8}"#,
        r#"{"8": 0}"#,
        r#"{"8": 100000}"#,
    ] {
        let json = format!(
            r#"{{"c_dim": 0, "img_resolution": 32, "img_channels": 3, "channels": {channels}}}"#
        );
        let error = DiscriminatorConfig::from_json(&json).unwrap_err();
        assert!(error.to_string().contains("option channels"), "{error}");
    }
}

#[test]
fn options_that_only_the_modules_tell_are_used() {
    let (_, device) = devices().remove(0);
    let checkpoint = open(&case_names("generator_")[0]);
    // As a pickle of stylegan3 describes its generator, with what its modules keep.
    let with = |options: Option<&str>| {
        let file = changed(&checkpoint, |_, metadata| {
            let mut config: serde_json::Value = serde_json::from_str(&metadata["config"]).unwrap();
            let synthesis = config["synthesis_kwargs"].take();
            let arguments = config.as_object_mut().unwrap();
            arguments.remove("synthesis_kwargs");
            arguments.extend(synthesis.as_object().unwrap().clone());
            arguments.remove("conv_clamp");
            arguments.insert("fused_modconv_default".into(), "inference_only".into());
            metadata.insert("config".into(), config.to_string());
            metadata.extend(options.map(|options| ("options".into(), options.into())));
        });
        let generator = Generator::from_checkpoint(&file, &device).unwrap();
        generator.config().synthesis_kwargs.conv_clamp
    };
    assert_eq!(with(None), Some(256.0));
    let kept = r#"{"synthesis.b4.conv1.conv_clamp": 0.5, "synthesis.b8.conv0.conv_clamp": 0.5}"#;
    assert_eq!(with(Some(kept)), Some(0.5));
}

#[test]
fn a_missing_configuration_is_inferred() {
    let (_, device) = devices().remove(0);
    for name in case_names("generator_") {
        let checkpoint = open(&name);
        let stated = GeneratorConfig::from_json(&checkpoint.metadata()["config"]).unwrap();
        let bare = changed(&checkpoint, |_, metadata| metadata.clear());
        let generator = Generator::from_checkpoint(&bare, &device).unwrap();
        let inferred = generator.config();
        assert_eq!(
            (
                inferred.z_dim,
                inferred.c_dim,
                inferred.w_dim,
                inferred.img_resolution,
                inferred.img_channels
            ),
            (
                stated.z_dim,
                stated.c_dim,
                stated.w_dim,
                stated.img_resolution,
                stated.img_channels
            ),
            "{name}"
        );
        let (found, expected) = (&inferred.mapping_kwargs, &stated.mapping_kwargs);
        let (c_dim, w_dim) = (stated.c_dim, stated.w_dim);
        assert_eq!(
            mapping_shape(found, c_dim, w_dim),
            mapping_shape(expected, c_dim, w_dim),
            "{name}"
        );
        assert_eq!(
            found.w_avg_beta.is_some(),
            expected.w_avg_beta.is_some(),
            "{name}"
        );
        for resolution in resolutions(stated.img_resolution) {
            assert_eq!(inferred.channels(resolution), stated.channels(resolution));
        }
        let (found, expected) = (&inferred.synthesis_kwargs, &stated.synthesis_kwargs);
        assert_eq!(found.kernel_size, expected.kernel_size, "{name}");
        assert_eq!(found.use_noise, expected.use_noise, "{name}");
        // All architectures have the same 4x4 block.
        if stated.img_resolution > 4 {
            assert_eq!(found.architecture, expected.architecture, "{name}");
        }
    }
    for name in case_names("discriminator_") {
        let checkpoint = open(&name);
        let stated = DiscriminatorConfig::from_json(&checkpoint.metadata()["config"]).unwrap();
        let bare = changed(&checkpoint, |_, metadata| metadata.clear());
        let discriminator = Discriminator::from_checkpoint(&bare, &device).unwrap();
        let inferred = discriminator.config();
        assert_eq!(
            (
                inferred.c_dim,
                inferred.img_resolution,
                inferred.img_channels,
                inferred.architecture
            ),
            (
                stated.c_dim,
                stated.img_resolution,
                stated.img_channels,
                stated.architecture
            ),
            "{name}"
        );
        // Without labels the options of the label's mapping leave no trace.
        if inferred.c_dim > 0 {
            let features = inferred.cmap_dim.unwrap();
            assert_eq!(features, stated.cmap_dim.unwrap_or(stated.channels(4)));
            assert_eq!(
                mapping_shape(&inferred.mapping_kwargs, inferred.c_dim, features),
                mapping_shape(&stated.mapping_kwargs, stated.c_dim, features),
                "{name}"
            );
        }
        for resolution in resolutions(stated.img_resolution) {
            assert_eq!(inferred.channels(resolution), stated.channels(resolution));
        }
        assert_eq!(
            inferred.epilogue_kwargs.mbstd_num_channels,
            stated.epilogue_kwargs.mbstd_num_channels
        );
    }
}

#[test]
fn prefixed_networks_are_found_among_others() {
    let (_, device) = devices().remove(0);
    let generators = case_names("generator_");
    let discriminators = case_names("discriminator_");
    let (g, d) = (open(&generators[0]), open(&discriminators[0]));
    let mut tensors = BTreeMap::new();
    let mut metadata = BTreeMap::new();
    for (prefix, checkpoint) in [("G_ema.", &g), ("D.", &d)] {
        metadata.insert(
            format!("{prefix}config"),
            checkpoint.metadata()["config"].clone(),
        );
        for (name, tensor) in checkpoint.tensors() {
            tensors.insert(format!("{prefix}{name}"), tensor.clone());
        }
    }
    let both = Checkpoint::from_tensors("both.pkl", tensors, metadata);
    let generator = Generator::from_checkpoint(&both, &device).unwrap();
    assert!(generator.tensors() == *g.tensors());
    let discriminator = Discriminator::from_checkpoint(&both, &device).unwrap();
    assert!(discriminator.tensors() == *d.tensors());
}

#[test]
fn another_filter_in_the_file_is_used_and_kept() {
    let (_, device) = devices().remove(0);
    let checkpoint = open(&case_names("generator_")[0]);
    // Lopsided filters, as no network has, in every layer that resamples, stored as the official code stores short and
    // long filters.
    let short = StoredTensor::from_f32(vec![2, 2], &[0.1, 0.2, 0.3, 0.4]);
    let long: Vec<f32> = (1..=8).map(|tap| tap as f32 / 36.0).collect();
    let long = StoredTensor::from_f32(vec![8], &long);
    let image = |checkpoint: &Checkpoint| {
        let generator = Generator::from_checkpoint(checkpoint, &device).unwrap();
        let tensors = generator.tensors();
        assert!(tensors == *checkpoint.tensors(), "filters are kept");
        let synthesis = generator.synthesis;
        let w_plus =
            burn::tensor::Tensor::ones([1, synthesis.num_ws(), synthesis.w_dim()], &device);
        values(synthesis.forward(w_plus, &NoiseMode::Constant))
    };
    let usual = image(&checkpoint);
    for filter in [short, long] {
        let other = changed(&checkpoint, |tensors, _| {
            for (name, tensor) in tensors {
                if name.ends_with("resample_filter") {
                    *tensor = filter.clone();
                }
            }
        });
        assert!(testkit::relative_l2(&image(&other), &usual) > 1e-3);
    }
    // Files without filters, as other implementations write them, use the configuration's.
    let without = changed(&checkpoint, |tensors, _| {
        tensors.retain(|name, _| !name.ends_with("resample_filter"));
    });
    let generator = Generator::from_checkpoint(&without, &device).unwrap();
    assert!(generator.tensors() == *checkpoint.tensors());
}

#[test]
fn damaged_files_are_refused_by_name() {
    let checkpoint = open(&case_names("generator_")[0]);
    let weight = "synthesis.b4.conv1.weight";
    let cases: [(&str, Checkpoint); 7] = [
        (
            weight,
            changed(&checkpoint, |tensors, _| {
                tensors.remove(weight);
            }),
        ),
        (
            "synthesis.b4.surplus",
            changed(&checkpoint, |tensors, _| {
                tensors.insert(
                    "synthesis.b4.surplus".to_owned(),
                    StoredTensor::from_f32(vec![1], &[0.0]),
                );
            }),
        ),
        (
            weight,
            changed(&checkpoint, |tensors, _| {
                tensors.insert(weight.to_owned(), StoredTensor::from_f32(vec![1], &[0.0]));
            }),
        ),
        (
            "mapping.w_avg",
            changed(&checkpoint, |tensors, _| {
                let shape = vec![tensors["synthesis.b4.conv1.affine.weight"].shape()[1]];
                let broken = vec![f32::NAN; shape[0]];
                tensors.insert(
                    "mapping.w_avg".to_owned(),
                    StoredTensor::from_f32(shape, &broken),
                );
            }),
        ),
        (
            "synthesis.b4.resample_filter",
            changed(&checkpoint, |tensors, _| {
                tensors.insert(
                    "synthesis.b4.resample_filter".to_owned(),
                    StoredTensor::from_f32(vec![2, 2, 1], &[0.25; 4]),
                );
            }),
        ),
        (
            "synthesis.b4.const",
            changed(&checkpoint, |tensors, _| tensors.clear()),
        ),
        (
            "synthesis.b4.surplus.resample_filter",
            changed(&checkpoint, |tensors, _| {
                tensors.insert(
                    "synthesis.b4.surplus.resample_filter".to_owned(),
                    StoredTensor::from_f32(vec![1], &[1.0]),
                );
            }),
        ),
    ];
    for (name, damaged) in cases {
        let error = generator_error(&damaged);
        assert!(
            error.contains(name) && error.contains("changed.safetensors"),
            "{error}"
        );
    }
}

#[test]
fn configurations_that_ask_for_too_much_are_refused_before_anything_is_allocated() {
    let checkpoint = open(&case_names("generator_")[0]);
    let with = |key: &str, json: &str| {
        changed(&checkpoint, |_, metadata| {
            let mut config: serde_json::Value = serde_json::from_str(&metadata["config"]).unwrap();
            let mut place = &mut config;
            for part in key.split('.') {
                place = &mut place[part];
            }
            *place = serde_json::from_str(json).unwrap();
            metadata.insert("config".to_owned(), config.to_string());
        })
    };
    for (key, json) in [
        ("img_resolution", "48"),
        ("img_resolution", "2"),
        ("img_resolution", "1048576"),
        ("z_dim", &usize::MAX.to_string()),
        ("w_dim", "0"),
        ("mapping_kwargs.num_layers", "4000000000"),
        ("mapping_kwargs.lr_multiplier", "0"),
        ("mapping_kwargs.w_avg_beta", "7"),
        ("synthesis_kwargs.channel_max", "1000000000"),
        ("synthesis_kwargs.channel_base", "1"),
        ("synthesis_kwargs.conv_clamp", "-1"),
        ("synthesis_kwargs.kernel_size", "4"),
    ] {
        let error = generator_error(&with(key, json));
        let option = key.rsplit('.').next().unwrap();
        assert!(
            error.contains(option)
                && error.contains("expected")
                && error.contains("changed.safetensors"),
            "{error}"
        );
    }
    // Within the limits, but not what the file holds: terabytes if it were built before the comparison.
    for (key, json) in [("w_dim", "65536"), ("z_dim", "65536")] {
        let error = generator_error(&with(key, json));
        assert!(error.contains("shape"), "{error}");
    }
    for (key, json) in [
        ("synthesis_kwargs.architecture", "\"unet\""),
        ("synthesis_kwargs.activation", "\"gelu\""),
        ("synthesis_kwargs.surplus", "1"),
        ("surplus", "1"),
        ("w_dim", "-1"),
    ] {
        let error = generator_error(&with(key, json));
        assert!(error.contains("constructor"), "{error}");
    }
}

#[test]
fn files_that_fit_no_configuration_say_why() {
    let (_, device) = devices().remove(0);
    let checkpoint = open(&case_names("generator_")[0]);
    let side = Generator::from_checkpoint(&checkpoint, &device)
        .unwrap()
        .config()
        .img_resolution;
    let last = format!("synthesis.b{side}.torgb.weight");
    let without_colors = changed(&checkpoint, |tensors, metadata| {
        metadata.clear();
        tensors.remove(&last);
    });
    let error = Generator::from_checkpoint(&without_colors, &device).unwrap_err();
    assert!(
        matches!(error, StyleGan2Error::CannotInfer { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(&last), "{error}");
}
