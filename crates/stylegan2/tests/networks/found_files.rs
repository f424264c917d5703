//! Files as people's tools write them: small stand-ins with random weights in the layouts of the published code.

use burn::tensor::Tensor;
use checkpoint_file::Checkpoint;
use stylegan2::{
    Discriminator, Generator, LatentFile, NoiseMode, StyleGan2Error, Truncation, latents_from_seeds,
};
use testkit::devices;

use crate::values;

fn case(file: &str) -> std::path::PathBuf {
    testkit::reference_path(env!("CARGO_MANIFEST_DIR"), &format!("cases/{file}"))
}

fn open(file: &str) -> Checkpoint {
    Checkpoint::open(case(file)).unwrap()
}

fn load(file: &str) -> Generator {
    let (_, device) = devices().remove(0);
    let generator = Generator::load(case(file), &device).unwrap_or_else(|e| panic!("{e}"));
    let z = latents_from_seeds(&[3], generator.mapping.z_dim(), &device);
    let image = generator.forward(z, None, Truncation::psi(0.7), &NoiseMode::Constant);
    let side = generator.config().img_resolution;
    assert_eq!(
        image.dims(),
        [1, generator.config().img_channels, side, side]
    );
    assert!(
        values(image).iter().all(|value| value.is_finite()),
        "{file}"
    );
    generator
}

#[track_caller]
fn refusal(file: &str, parts: &[&str]) {
    let (_, device) = devices().remove(0);
    let message = Generator::load(case(file), &device)
        .unwrap_err()
        .to_string();
    for part in parts.iter().chain(&[file]) {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

/// The file's tensor of this name and the generator's are the same numbers.
fn assert_same(file: &Checkpoint, theirs: &str, generator: &Generator, ours: &str) {
    let tensors = generator.tensors();
    assert_eq!(
        file.tensors()[theirs].to_f32(),
        tensors[ours].to_f32(),
        "{theirs}"
    );
}

#[test]
fn decoders_of_encoders_are_found_with_their_mean_latent() {
    for (name, prefix) in [
        ("e4e_encode.pt", "state_dict.decoder."),
        ("psp_state_dict.pt", "state_dict."),
        ("dataparallel.pt", "g_ema.module."),
    ] {
        let (file, generator) = (open(name), load(name));
        for (theirs, ours) in [
            ("style.2.weight", "mapping.fc1.weight"),
            ("conv1.conv.weight", "synthesis.b4.conv1.weight"),
            (
                "to_rgbs.1.conv.modulation.bias",
                "synthesis.b16.torgb.affine.bias",
            ),
            ("noises.noise_4", "synthesis.b16.conv1.noise_const"),
        ] {
            assert_same(&file, &format!("{prefix}{theirs}"), &generator, ours);
        }
        let average = &file.tensors()["latent_avg"];
        let width = *average.shape().last().unwrap();
        let rows = average.to_f32();
        let rows: Vec<&[f32]> = rows.chunks_exact(width).collect();
        for (feature, found) in values(generator.mapping.w_avg().unwrap())
            .into_iter()
            .enumerate()
        {
            let sum: f64 = rows.iter().map(|row| f64::from(row[feature])).sum();
            let expected = (sum / rows.len() as f64) as f32;
            // The mean of at most 18 rows in double precision, rounded once.
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{name}");
        }
    }
}

#[test]
fn a_conditional_model_that_lost_its_labels_is_refused() {
    refusal(
        "conditional_export.pt",
        &["g_ema.style.1.weight", "label embedding", "from the .pkl"],
    );
}

#[test]
fn kinds_that_are_not_supported_are_named() {
    refusal("stylegan3-t-ffhq.pkl", &["StyleGAN3", "only StyleGAN2"]);
    refusal("stylegan_human.pkl", &["rectangular", "square images"]);
}

#[test]
fn official_pickles_of_every_age_load() {
    for (name, channels) in [
        ("buffer_attr.pkl", 3),
        ("protocol2.pkl", 3),
        ("square_true.pkl", 3),
        ("gray.pkl", 1),
        ("rgba.pkl", 4),
    ] {
        let (file, generator) = (open(name), load(name));
        assert_eq!(generator.config().img_channels, channels, "{name}");
        assert!(file.not_understood().is_empty());
        for (name, tensor) in generator.tensors() {
            assert_same(&file, &format!("G_ema.{name}"), &generator, &name);
            assert!(tensor.to_f32().iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn what_was_not_asked_for_cannot_stop_what_was() {
    let (_, device) = devices().remove(0);
    let (file, generator) = (
        open("vision_aided_snapshot.pkl"),
        load("vision_aided_snapshot.pkl"),
    );
    assert_same(
        &file,
        "G_ema.synthesis.b8.conv0.weight",
        &generator,
        "synthesis.b8.conv0.weight",
    );
    let training = Generator::from_network(&file, "G", &device).unwrap();
    assert_same(&file, "G.mapping.w_avg", &training, "mapping.w_avg");
    let discriminator = Discriminator::from_checkpoint(&file, &device).unwrap();
    assert_eq!(
        discriminator.tensors()["b8.conv0.weight"].to_f32(),
        file.tensors()["D.b8.conv0.weight"].to_f32()
    );
    assert_eq!(Generator::names_in(&file), ["G_ema", "G"]);
    assert_eq!(
        file.not_understood()["cvD"],
        "torch.nn.modules.container.ModuleList"
    );
    assert_eq!(file.not_understood().len(), 1);
    // Its tensors can be read; as what network, nobody knows.
    let cv = file.network("cvD").unwrap();
    assert!(!cv.tensors().is_empty());
    let error = Generator::from_network(&file, "cvD", &device).unwrap_err();
    assert!(matches!(error, StyleGan2Error::NoNetwork { .. }), "{error}");
    assert!(
        error.to_string().contains("cvD (not understood: torch.nn"),
        "{error}"
    );
}

#[test]
fn a_generator_beside_a_foreign_discriminator_loads() {
    let (_, device) = devices().remove(0);
    let name = "stylegan2_with_projected_D.pkl";
    let (file, generator) = (open(name), load(name));
    for ours in generator.tensors().keys() {
        assert_same(&file, &format!("G_ema.{ours}"), &generator, ours);
    }
    assert_eq!(Generator::names_in(&file), ["G_ema", "G"]);
    // It is named, and is no discriminator of StyleGAN2.
    assert!(
        file.not_understood().contains_key("D"),
        "{:?}",
        file.not_understood()
    );
    let error = Discriminator::from_checkpoint(&file, &device).unwrap_err();
    assert!(error.to_string().contains(name), "{error}");
}

#[test]
fn latents_of_other_tools_are_read() {
    for file in ["projected_w.npz", "pti_pivot.pt"] {
        let stored = open(file);
        let tensor = stored.tensors().values().next().unwrap();
        let &[1, num_ws, w_dim] = tensor.shape() else {
            panic!("{:?}", tensor.shape());
        };
        let read = LatentFile::read(case(file), num_ws, w_dim).unwrap();
        assert_eq!(read.latents.len(), 1);
        assert_eq!(read.latents[0].w_plus, tensor.to_f32());
        assert_eq!(read.model, None);
        let error = LatentFile::read(case(file), num_ws + 2, w_dim).unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn names_in_errors_cannot_reach_a_terminal_raw() {
    let (_, device) = devices().remove(0);
    let evil = format!("g.\u{1b}[2J\u{7}{}", "x".repeat(100_000));
    let tensors = open("dataparallel.pt").tensors().clone();
    let mut tensors: std::collections::BTreeMap<_, _> = tensors
        .into_iter()
        .map(|(name, tensor)| (name.replace("g_ema.module", "g"), tensor))
        .collect();
    let one = checkpoint_file::StoredTensor::from_f32(vec![1], &[0.0]);
    tensors.insert(evil, one);
    let file = Checkpoint::from_tensors("f.pt", tensors, Default::default());
    let message = Generator::from_checkpoint(&file, &device)
        .unwrap_err()
        .to_string();
    assert!(message.len() < 1000, "{}", message.len());
    assert!(
        message.contains("not part") && !message.chars().any(char::is_control),
        "{message}"
    );
}

#[test]
fn values_that_are_not_finite_are_traced_to_where_they_begin() {
    let (_, device) = devices().remove(0);
    let original = load("dataparallel.pt");
    let with_huge = |name: &str| {
        let mut tensors = original.tensors();
        let shape = tensors[name].shape().to_vec();
        let huge = vec![3e38; shape.iter().product()];
        tensors.insert(
            name.to_owned(),
            checkpoint_file::StoredTensor::from_f32(shape, &huge),
        );
        let config = [("config".to_owned(), original.config().to_json())].into();
        let file = Checkpoint::from_tensors("huge", tensors, config);
        Generator::from_checkpoint(&file, &device).unwrap()
    };
    let z = latents_from_seeds(&[0, 1], original.mapping.z_dim(), &device);
    let w_plus = original.mapping.forward(z, None, Truncation::NONE);
    let check = |generator: &Generator, w_plus: Tensor<3>| {
        let images = generator
            .synthesis
            .forward(w_plus.clone(), &NoiseMode::Constant);
        let checked = generator.check_finite(&images, &w_plus, &NoiseMode::Constant);
        checked.map_err(|error| error.to_string())
    };
    let message = check(&with_huge("synthesis.b8.conv1.bias"), w_plus.clone()).unwrap_err();
    assert!(
        message.contains("image 0 is not finite") && message.contains("from synthesis.b8 on"),
        "{message}"
    );
    // 3e38 is a number still.
    check(&with_huge("synthesis.b16.torgb.bias"), w_plus.clone()).unwrap();
    let [_, layers, features] = w_plus.dims();
    let nan = Tensor::full([1, layers, features], f32::NAN, &device);
    let second = Tensor::cat(vec![w_plus.slice([0..1, 0..layers, 0..features]), nan], 0);
    let message = check(&original, second).unwrap_err();
    assert!(
        message.contains("image 1") && message.contains("from the latent on"),
        "{message}"
    );
}

#[test]
fn labels_are_as_many_as_the_generator_has_classes() {
    let (_, device) = devices().remove(0);
    let plain = load("dataparallel.pt");
    assert!(plain.labels(None, &[1, 2], &device).unwrap().is_none());
    let message = plain
        .labels(Some(0), &[1], &device)
        .unwrap_err()
        .to_string();
    assert!(message.contains("not class-conditional"), "{message}");

    let mut config = plain.config().clone();
    config.c_dim = 3;
    let conditional = Generator::init(&config, 0, &device).unwrap();
    let seeds: Vec<u32> = (0..20).collect();
    let drawn = conditional.labels(None, &seeds, &device).unwrap().unwrap();
    assert_eq!(drawn.dims(), [20, 3]);
    let rows = values(drawn);
    for row in rows.chunks_exact(3) {
        assert_eq!(row.iter().sum::<f32>(), 1.0);
        assert!(row.iter().all(|value| [0.0, 1.0].contains(value)));
    }
    // A seed keeps its class whatever stands beside it.
    let alone = conditional.labels(None, &[7], &device).unwrap().unwrap();
    assert_eq!(values(alone), rows[21..24]);
    let chosen = conditional
        .labels(Some(2), &[0, 1], &device)
        .unwrap()
        .unwrap();
    assert_eq!(values(chosen), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let message = conditional
        .labels(Some(3), &[0], &device)
        .unwrap_err()
        .to_string();
    assert!(message.contains("classes 0 to 2"), "{message}");
}

#[test]
fn a_torch_script_archive_without_a_generator_is_named() {
    let (_, device) = devices().remove(0);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../checkpoint-file/tests/fixtures/torchscript/script.pt");
    let message = Generator::load(script, &device).unwrap_err().to_string();
    for part in [
        "script.pt",
        "TorchScript archive",
        "blocks.0",
        "use the checkpoint that it was made of",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}
