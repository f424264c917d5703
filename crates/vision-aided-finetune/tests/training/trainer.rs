use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use vision_aided_finetune::{
    ImageSet, Trainer, TrainingConfig, TrainingError, freeze_discriminator_layers,
};

use crate::small_run::{
    config, discriminator, discriminator_of, generator, generator_of, images, trainer,
};

fn device() -> Device {
    testkit::devices().remove(0).1
}

#[test]
fn regularizers_are_due_at_their_intervals() {
    let mut trainer = trainer(config(), &device()).unwrap();
    for iteration in 0..7u64 {
        let report = trainer.step().unwrap();
        assert_eq!(report.iteration, iteration + 1);
        assert_eq!(report.images, 4 * (iteration + 1));
        assert_eq!(report.path_length.is_some(), iteration.is_multiple_of(2));
        assert_eq!(report.r1_penalty.is_some(), iteration.is_multiple_of(3));
        assert!(report.generator_loss.is_finite() && report.discriminator_loss.is_finite());
    }
}

/// A mean that has become NaN would stay so, and with it every later gradient; training goes on without the batch.
#[test]
fn a_path_length_that_is_no_number_leaves_the_running_mean_and_ends_a_run_only_when_it_stays() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    let mut options = config();
    options.noise = false;
    let mut run = trainer(options, &device).unwrap();
    for _ in 0..2 {
        run.step().unwrap();
    }
    run.save(&file).unwrap();
    // Images of 1e38 have a gradient beyond f32's range in its square, and the discriminator is told nothing of it.
    let good = Checkpoint::open(&file).unwrap();
    let mut tensors = good.tensors().clone();
    for (name, tensor) in &mut tensors {
        if name.starts_with("G.") && name.ends_with("torgb.weight") {
            let values = vec![1e30; tensor.to_f32().len()];
            *tensor = StoredTensor::from_f32(tensor.shape().to_vec(), &values);
        }
    }
    save_safetensors(&file, &tensors, good.metadata(), FloatPrecision::F32).unwrap();
    let mut run = Trainer::resume(&file, images(10), &[], &device).unwrap();
    let report = run.step().unwrap();
    let length = report.path_length.expect("iteration 2 takes it");
    assert!(!length.is_finite(), "{length}");
    // Only finite values are saved, among them the mean.
    run.save(&file).unwrap();
    let mean = |file: &Checkpoint| file.tensors()["path_length_mean"].to_f32();
    assert_eq!(mean(&Checkpoint::open(&file).unwrap()), mean(&good));
    assert!(mean(&good)[0] > 0.0);
    let counted = Checkpoint::open(&file).unwrap().metadata()["training"].clone();
    assert!(counted.contains("\"path_length\":1"), "{counted}");
}

#[test]
fn options_that_may_change_take_effect_and_others_are_refused() {
    let device = device();
    let run = || trainer(config(), &device).unwrap();
    let weights = |run: &Trainer| run.generator().tensors()["synthesis.b16.conv1.weight"].to_f32();
    let (mut slow, mut same) = (run(), run());
    let start = weights(&slow);
    let mut options = config();
    options.generator_adam.learning_rate = 1e-12;
    options.r1_gamma = 5.0;
    options.augment = "color".parse().unwrap();
    slow.set_config(options.clone()).unwrap();
    assert_eq!(slow.config(), &options);
    same.set_config(config()).unwrap();
    let mut straight = run();
    assert_eq!(same.step().unwrap(), straight.step().unwrap());
    slow.step().unwrap();
    let moved = |now: &[f32]| now.iter().zip(&start).any(|(a, b)| (a - b).abs() > 1e-6);
    assert!(moved(&weights(&same)));
    assert!(!moved(&weights(&slow)));

    for (option, changed) in [
        (
            "seed",
            TrainingConfig {
                seed: 6,
                ..config()
            },
        ),
        (
            "batch_size",
            TrainingConfig {
                batch_size: 8,
                ..config()
            },
        ),
        (
            "mirror",
            TrainingConfig {
                mirror: false,
                ..config()
            },
        ),
        (
            "noise",
            TrainingConfig {
                noise: false,
                ..config()
            },
        ),
    ] {
        let error = slow.set_config(changed).unwrap_err();
        assert!(
            matches!(error, TrainingError::FixedOption { option: found, .. } if found == option),
            "{error}"
        );
    }
    let broken = TrainingConfig {
        r1_gamma: f64::NAN,
        ..config()
    };
    assert!(slow.set_config(broken).is_err());
    assert_eq!(slow.config(), &options);
}

/// With a generator that stands still the discriminator must learn to tell its images from real ones.
#[test]
fn the_discriminator_learns_against_a_generator_that_hardly_moves() {
    let mut options = config();
    options.augment = "".parse().unwrap();
    options.generator_adam.learning_rate = 1e-9;
    options.path_length_interval = 0;
    let mut trainer = trainer(options, &device()).unwrap();
    let reports: Vec<_> = (0..60).map(|_| trainer.step().unwrap()).collect();
    let margin = |range: std::ops::Range<usize>| {
        let part = &reports[range];
        part.iter()
            .map(|r| r.real_logit - r.fake_logit)
            .sum::<f32>()
            / part.len() as f32
    };
    let (start, end) = (margin(0..5), margin(50..60));
    assert!(
        end > start + 2.0,
        "margin {start} at the start, {end} at the end"
    );
}

/// With a discriminator that stands still the generator must find images that it takes for real.
#[test]
fn the_generator_learns_against_a_discriminator_that_hardly_moves() {
    let mut options = config();
    options.augment = "".parse().unwrap();
    options.discriminator_adam.learning_rate = 1e-9;
    options.r1_interval = 0;
    options.path_length_interval = 0;
    let mut trainer = trainer(options, &device()).unwrap();
    let reports: Vec<_> = (0..60).map(|_| trainer.step().unwrap()).collect();
    let mean = |range: std::ops::Range<usize>| {
        let part = &reports[range];
        part.iter().map(|r| r.generator_loss).sum::<f32>() / part.len() as f32
    };
    let (start, end) = (mean(0..5), mean(50..60));
    assert!(
        end < 0.7 * start,
        "loss {start} at the start, {end} at the end"
    );
}

#[test]
fn the_average_and_the_mean_latent_follow_the_generator() {
    let device = device();
    let mut trainer = trainer(config(), &device).unwrap();
    let w_avg = |generator: &Generator| generator.tensors()["mapping.w_avg"].to_f32();
    assert!(w_avg(trainer.generator()).iter().all(|value| *value == 0.0));
    for _ in 0..3 {
        trainer.step().unwrap();
    }
    assert!(w_avg(trainer.generator()).iter().any(|value| *value != 0.0));
    assert_eq!(
        w_avg(trainer.generator()),
        w_avg(trainer.generator_average())
    );
    let name = "synthesis.b16.conv1.weight";
    let [start, average, current] = [
        generator(1, &device).tensors(),
        trainer.generator_average().tensors(),
        trainer.generator().tensors(),
    ]
    .map(|tensors| tensors[name].to_f32());
    assert_ne!(start, current);
    assert_ne!(average, current);
    assert_ne!(average, start);
}

#[test]
fn noise_strengths_stay_where_training_uses_no_noise() {
    let mut options = config();
    options.noise = false;
    let mut trainer = trainer(options, &device()).unwrap();
    for _ in 0..3 {
        trainer.step().unwrap();
    }
    for (name, tensor) in trainer.generator().tensors() {
        if name.ends_with("noise_strength") {
            assert_eq!(tensor.to_f32(), [0.0], "{name}");
        }
    }
}

/// Freeze-D counts fromrgb, conv0, conv1 and skip of every block, from the image on.
#[test]
fn frozen_layers_stay_and_all_others_move() {
    let device = device();
    let start = discriminator(2, &device);
    let frozen = freeze_discriminator_layers(&start, 5, &device).unwrap();
    assert_eq!(frozen.config().block_kwargs.freeze_layers, 5);
    let mut trainer = Trainer::new(
        config(),
        generator(1, &device),
        None,
        frozen,
        images(10),
        &device,
    )
    .unwrap();
    for _ in 0..4 {
        trainer.step().unwrap();
    }
    let (before, after) = (start.tensors(), trainer.discriminator().tensors());
    let is_frozen = |name: &str| name.starts_with("b16.") || name.starts_with("b8.conv0.");
    for (name, tensor) in &before {
        let same = tensor.to_f32() == after[name].to_f32();
        assert_eq!(
            same,
            is_frozen(name) || name.ends_with("resample_filter"),
            "{name}"
        );
    }
}

#[test]
fn networks_images_and_options_that_do_not_fit_are_refused() {
    let device = device();
    let refused = |options: TrainingConfig, g: Generator, d: Discriminator, count: usize| {
        Trainer::new(options, g, None, d, images(count), &device)
            .unwrap_err()
            .to_string()
    };
    let small = DiscriminatorConfig::from_json(
        r#"{"c_dim": 0, "img_resolution": 8, "img_channels": 3, "channel_base": 64, "channel_max": 8}"#,
    )
    .unwrap();
    let small = Discriminator::init(&small, 0, &device).unwrap();
    let message = refused(config(), generator(1, &device), small, 10);
    assert!(
        message.contains("8x8") && message.contains("16x16"),
        "{message}"
    );

    let conditional = GeneratorConfig::from_json(
        r#"{"z_dim": 8, "c_dim": 3, "w_dim": 8, "img_resolution": 16, "img_channels": 3, "synthesis_kwargs": {"channel_base": 64}}"#,
    )
    .unwrap();
    let conditional = Generator::init(&conditional, 0, &device).unwrap();
    let message = refused(config(), conditional, discriminator(2, &device), 10);
    assert!(
        message.contains("c_dim") && message.contains("unconditional"),
        "{message}"
    );

    let odd = TrainingConfig {
        batch_size: 6,
        ..config()
    };
    let message = refused(odd, generator(1, &device), discriminator(2, &device), 10);
    assert!(
        message.contains("multiple") && message.contains('6'),
        "{message}"
    );

    let broken = TrainingConfig {
        r1_gamma: -1.0,
        ..config()
    };
    let message = refused(broken, generator(1, &device), discriminator(2, &device), 10);
    assert!(message.contains("r1_gamma"), "{message}");
}

/// Latents beyond the range of f32: training must end with an error, and no checkpoint of NaN weights may replace a
/// good one.
#[test]
fn a_run_that_diverges_ends_with_an_error_and_keeps_the_last_good_checkpoint() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    // Through two layers of such weights w overflows, and with it the running mean of w.
    let start = generator(1, &device);
    let tensors = start.tensors().into_iter().map(|(name, tensor)| {
        if !(name.starts_with("mapping.fc") && name.ends_with("weight")) {
            return (name, tensor);
        }
        let values = vec![1e30; tensor.to_f32().len()];
        let large = StoredTensor::from_f32(tensor.shape().to_vec(), &values);
        (name, large)
    });
    let metadata = [("config".to_owned(), start.config().to_json())].into();
    let start = Checkpoint::from_tensors("large", tensors.collect(), metadata);
    let mut trainer = Trainer::new(
        config(),
        Generator::from_checkpoint(&start, &device).unwrap(),
        None,
        discriminator(2, &device),
        images(10),
        &device,
    )
    .unwrap();
    trainer.save(&file).unwrap();
    let good = std::fs::read(&file).unwrap();
    let error = (0..200)
        .find_map(|_| trainer.step().err())
        .expect("latents beyond the range of f32 overflow at once");
    let message = error.to_string();
    assert!(matches!(error, TrainingError::Diverged { .. }), "{message}");
    assert!(message.contains("r1_gamma"), "{message}");
    let refused = trainer.save(&file).unwrap_err();
    assert!(
        matches!(refused, TrainingError::NonFiniteWeights { .. }),
        "{refused}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), good);
}

/// On images whose planes are equal nothing is lost by taking one of them.
#[test]
fn a_gray_model_is_trained_on_the_luma_of_its_images_and_resumes_exactly() {
    let device = device();
    let new = |channels: usize| {
        Trainer::new(
            config(),
            generator_of(channels, 1, &device),
            None,
            discriminator_of(channels, 2, &device),
            images(10),
            &device,
        )
    };
    let mut run = new(1).unwrap();
    assert_eq!((run.images().channels(), run.images().len()), (1, 10));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("training.safetensors");
    run.step().unwrap();
    run.save(&file).unwrap();
    let straight: Vec<_> = (0..3).map(|_| run.step().unwrap()).collect();
    let mut resumed = Trainer::resume(&file, images(10), &[], &device).unwrap();
    let after: Vec<_> = (0..3).map(|_| resumed.step().unwrap()).collect();
    assert_eq!(after, straight);
    assert!(straight.iter().any(|report| report.r1_penalty.is_some()));
    // Opacity is not to be had from training images.
    let message = new(4).unwrap_err().to_string();
    assert!(message.contains("img_channels is 4"), "{message}");
    let mixed = ImageSet::concat(vec![(*images(2)).clone(), images(2).gray()]);
    assert!(mixed.unwrap_err().to_string().contains("channels"));
}
