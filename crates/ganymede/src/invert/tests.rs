#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use burn::tensor::Device;
use image_tensor::{DecodeLimits, RgbImage, decode_file};
use lpips::LpipsNetwork;

use super::*;
use crate::latents::{LatentSettings, LatentSource, Offset, from_tensor};
use crate::picture::Picture;
use crate::{edit, feature_offset, generate, interpolate, rendering};

fn options(context: &Context, out: &std::path::Path) -> Options {
    let queries = context.weights().unwrap().queries();
    Options {
        model: "lorelei".to_owned(),
        image: vec![queries.join("lorelei/0.png"), queries.join("lorelei/1.png")],
        inversion: Settings {
            steps: 30,
            refine_steps: 30,
            ..Settings::default()
        },
        out: Some(out.to_owned()),
        ..Options::default()
    }
}

fn decoded(file: &std::path::Path) -> RgbImage {
    decode_file(file, &DecodeLimits::default()).unwrap()
}

/// In dB, of pictures.
fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    let pairs = one.as_raw().iter().zip(other.as_raw());
    let squares = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.as_raw().len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[test]
fn a_refined_file_gives_the_picture_and_is_edited_and_interpolated() {
    let context = Context::new(Device::flex());
    let folder = tempfile::tempdir().unwrap();
    let plain = run(&options(&context, folder.path()), &context, &mut ()).unwrap();
    let mut refining = options(&context, folder.path());
    refining.inversion.refine = true;
    let refined = run(&refining, &context, &mut ()).unwrap();
    for (plain, refined) in plain.inversions.iter().zip(&refined.inversions) {
        assert!(refined.psnr > plain.psnr, "{} {}", refined.psnr, plain.psnr);
        assert!(plain.offset.is_none() && refined.offset.is_some());
    }
    let files = refined.inversions[0].files.as_ref().unwrap();
    let file = files.refined.as_ref().unwrap();
    // Latents of 640 numbers and features of 16384, of two bytes each, and the header.
    assert!(file.0.metadata().unwrap().len() < 36_000);
    let source = LatentSource::File(file.0.clone());
    let metric = context.lpips(LpipsNetwork::AlexNet).unwrap();
    let model = context.model("lorelei").unwrap();
    let found = LatentSettings {
        truncation_psi: 1.0,
        class: None,
        inversion: &Settings::default(),
        seed: 0,
        context: &context,
        metric: &metric,
    }
    .load(std::slice::from_ref(&source), &model, &mut ())
    .unwrap()
    .remove(0);
    let offset: Option<&Offset> = found.offset.as_ref();
    let offset = feature_offset::batch(&[offset], context.device()).unwrap();
    let image = rendering::render_with(&model, &[found.w_plus], offset.as_ref(), context.device());
    let image = image_of(&image.unwrap());
    let written = decoded(files.reconstruction.as_ref());
    // The file has numbers of 11 bits: below what is seen.
    assert!(psnr(&image, &written) > 50.0, "{}", psnr(&image, &written));

    let recipe = Picture {
        model: "lorelei".to_owned(),
        tuned: None,
        latent: refined.inversions[0].latent(),
        edits: Vec::new(),
        noise_mode: generate::LayerNoise::Constant,
        noise_seed: 0,
    };
    let of_recipe = recipe.render(&context).unwrap();
    assert!(psnr(&of_recipe, &written) > 50.0);

    let mut seen = Pictures::default();
    let again = generate::Options {
        model: "lorelei".to_owned(),
        latents: vec![file.0.clone(), files.latents.0.clone()],
        ..generate::Options::default()
    };
    generate::run(&again, &context, &mut seen).unwrap();
    assert!(psnr(&seen.0[0], &written) > 50.0);
    // The other file has the latents alone.
    assert!(psnr(&seen.0[1], &written) < 40.0);

    let edited = edit::run(
        &edit::Options {
            model: "lorelei".to_owned(),
            latent: vec![source.clone()],
            edit: vec!["hair".parse().unwrap()],
            strength: vec![0.0, 1.5],
            random: 1,
            ..edit::Options::default()
        },
        &context,
        &mut Pictures::default(),
    );
    let [before, after] = &edited.unwrap().edits[..] else {
        panic!("two strengths");
    };
    assert!(before.lpips < 1e-6 && after.lpips > 1e-3);

    let mut seen = Pictures::default();
    let walk = interpolate::Options {
        model: "lorelei".to_owned(),
        from: source,
        to: LatentSource::Seed(3),
        frames: 3,
        ..interpolate::Options::default()
    };
    interpolate::run(&walk, &context, &mut seen).unwrap();
    assert!(psnr(&seen.0[0], &written) > 50.0);
}

/// Keeps what it is shown.
#[derive(Default)]
struct Pictures(Vec<RgbImage>);

impl Observer for Pictures {
    fn preview(&mut self, preview: &Preview<'_>) {
        self.0.push(preview.image.clone());
    }
}

#[test]
fn a_tuned_model_is_a_small_file_that_one_place_loads() {
    let context = Context::new(Device::flex());
    let folder = tempfile::tempdir().unwrap();
    let plain = run(&options(&context, folder.path()), &context, &mut ()).unwrap();
    let tuning = Options {
        tune: true,
        tune_steps: 30,
        ..options(&context, folder.path())
    };
    let tuned = run(&tuning, &context, &mut ()).unwrap();
    for (plain, tuned) in plain.inversions.iter().zip(&tuned.inversions) {
        assert!(tuned.psnr > plain.psnr, "{} {}", tuned.psnr, plain.psnr);
    }
    let tuned_latent = tuned.inversions[0].latent();
    let change = tuned.tuning.unwrap();
    let file = change.file.unwrap().0;
    assert!(file.metadata().unwrap().len() <= 100_000);
    assert!(change.moved > 0.0 && change.moved < 0.1, "{}", change.moved);
    let with = Context::new(Device::flex()).with_tuned(&file).unwrap();
    let model = with.model("lorelei").unwrap();
    let w_plus = from_tensor(tuned.inversions[0].w_plus.clone());
    let image = rendering::render(&model, &w_plus, with.device()).unwrap();
    let files = tuned.inversions[0].files.as_ref().unwrap();
    let written = decoded(files.reconstruction.as_ref());
    // The weights' change has 11 bits.
    let same = psnr(&image_of(&image), &written);
    assert!(same > 45.0, "{same}");
    let recipe = |model: &str, tuned: Option<&PathBuf>| Picture {
        model: model.to_owned(),
        tuned: tuned.cloned(),
        latent: tuned_latent.clone(),
        edits: Vec::new(),
        noise_mode: generate::LayerNoise::Constant,
        noise_seed: 0,
    };
    // A context that has the model as it was has the tuned one beside it.
    let untouched = recipe("lorelei", None).render(&context).unwrap();
    let of_recipe = recipe("lorelei", Some(&file)).render(&context).unwrap();
    assert!(psnr(&of_recipe, &written) > 45.0);
    assert_eq!(recipe("lorelei", None).render(&context).unwrap(), untouched);
    assert_ne!(of_recipe, untouched);
    let other = recipe("micah", Some(&file)).render(&context).unwrap_err();
    assert!(other.to_string().contains("another generator"), "{other}");
    let other = with.model("micah").err().unwrap().to_string();
    assert!(other.contains("another generator"), "{other}");
}

#[test]
fn other_starts_are_nearer_than_the_mean_and_a_regression_is_kept_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let context = Context::new(Device::flex());
    // Squares on a grid, which are far from the mean image.
    let weights = context.weights().unwrap();
    let copy = folder.path().join("identicon.safetensors");
    std::fs::copy(weights.generator("identicon"), &copy).unwrap();
    let images = ["0.png", "1.png"].map(|name| weights.queries().join("identicon").join(name));
    let at_start = |start: StartChoice| {
        let mut options = options(&context, folder.path());
        options.model = copy.to_string_lossy().into_owned();
        options.image = images.to_vec();
        options.inversion.steps = 0;
        options.inversion.start = start;
        run(&options, &context, &mut ())
            .unwrap()
            .median_lpips
            .unwrap()
    };
    let (mean, sampled, regressed) = (
        at_start(StartChoice::Mean),
        at_start(StartChoice::Sampled),
        at_start(StartChoice::Regressed),
    );
    assert!(regressed < 0.8 * mean, "{regressed} {mean}");
    // It was 0.55 for either; equal would mean that no random latent was better, or looked at.
    assert!(sampled < 0.9 * mean, "{sampled} {mean}");
    let kept = || {
        std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().ends_with(".regression.safetensors")
            })
            .count()
    };
    assert_eq!(kept(), 1);
    assert_eq!(at_start(StartChoice::Regressed), regressed);
    assert_eq!(kept(), 1);
}

#[test]
fn settings_with_the_spelling_of_earlier_versions_are_read() {
    let earlier = r#"{"noise": "optimised", "noise_regularisation": 7.0}"#;
    let settings: Settings = serde_json::from_str(earlier).unwrap();
    assert_eq!(
        (settings.noise, settings.noise_regularization),
        (NoiseChoice::Optimized, 7.0)
    );
    let written = serde_json::to_value(&settings).unwrap();
    assert_eq!(written["noise"], "optimized");
    assert_eq!(written["noise_regularization"], 7.0);
}
