use burn::tensor::Device;
use stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use vision_aided_finetune::{ImageSet, Trainer, TrainingConfig, TrainingError};

use crate::small_run::{config, images};

fn device() -> Device {
    testkit::devices().remove(0).1
}

/// Networks of 8x8 for images of 16x16: the first stage ends after four iterations of four images.
fn trainer(config: TrainingConfig) -> Result<Trainer, TrainingError> {
    let device = device();
    let generator = GeneratorConfig::from_json(
        r#"{"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 8, "img_channels": 3,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 128, "channel_max": 8}}"#,
    )
    .unwrap();
    let discriminator = DiscriminatorConfig::from_json(
        r#"{"c_dim": 0, "img_resolution": 8, "img_channels": 3, "channel_base": 128, "channel_max": 8}"#,
    )
    .unwrap();
    Trainer::new(
        config,
        Generator::init(&generator, 1, &device)?,
        None,
        Discriminator::init(&discriminator, 2, &device)?,
        images(10),
        &device,
    )
}

fn progressive() -> TrainingConfig {
    TrainingConfig {
        progressive: vec!["8:0.016".parse().unwrap()],
        ..config()
    }
}

#[test]
fn a_run_grows_when_its_stage_ends_and_resumes_on_either_side() {
    let device = device();
    let folder = tempfile::tempdir().unwrap();
    let saved = |iteration: usize| folder.path().join(format!("{iteration}.safetensors"));
    let mut straight = trainer(progressive()).unwrap();
    let mut reports = Vec::new();
    let mut resolutions = Vec::new();
    for iteration in 0..8 {
        straight.save(saved(iteration)).unwrap();
        reports.push(straight.step().unwrap());
        resolutions.push(straight.resolution());
    }
    assert_eq!(resolutions, [8, 8, 8, 8, 16, 16, 16, 16]);
    assert_eq!(straight.generator_average().config().img_resolution, 16);
    // Before the growth, at it, and after.
    for middle in [2, 4, 6] {
        assert_eq!(Trainer::image_side(saved(middle)).unwrap(), 16);
        let mut resumed = Trainer::resume(saved(middle), images(10), &[], &device).unwrap();
        for expected in &reports[middle..] {
            assert_eq!(resumed.step().unwrap(), *expected, "from {middle} on");
        }
        assert_eq!(
            resumed.generator().tensors(),
            straight.generator().tensors()
        );
    }
}

#[test]
fn stages_and_networks_that_do_not_go_together_are_refused() {
    let without_stages = trainer(config()).unwrap_err().to_string();
    assert!(without_stages.contains("16"), "{without_stages}");
    for stage in ["16:1", "32:1"] {
        let mut config = progressive();
        config.progressive.push(stage.parse().unwrap());
        let message = trainer(config).unwrap_err().to_string();
        assert!(message.contains(stage), "{message}");
    }
    let mut run = trainer(progressive()).unwrap();
    let message = run.set_config(config()).unwrap_err().to_string();
    assert!(message.contains("progressive"), "{message}");
}

#[test]
fn reduced_images_are_rounded_means_of_squares() {
    let plane = [0, 1, 10, 20, 2, 3, 30, 41, 255, 255, 0, 0, 255, 254, 0, 1];
    let set = ImageSet::from_bytes(4, plane.repeat(3));
    let half = set.reduced(2).unwrap();
    // 6/4, 101/4, 1019/4 and 1/4, halves up.
    assert_eq!(half.image(0)[..4], [2, 25, 255, 0]);
    assert_eq!(half.image(0)[8..], [2, 25, 255, 0]);
    assert_eq!((half.side(), half.len()), (2, 1));
    assert_eq!(set.reduced(4).unwrap().image(0), set.image(0));
    assert!(set.reduced(3).is_err());
    assert!(set.reduced(0).is_err());
}
