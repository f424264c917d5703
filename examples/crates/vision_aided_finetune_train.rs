//! Crate `vision-aided-finetune`: train ten iterations.
//!
//! `cargo run --release --example vision_aided_finetune_train`, in the repository's folder

use std::error::Error;
use std::sync::Arc;

use burn::tensor::Device;
use checkpoint_file::FloatPrecision;
use image_source::{BadImages, ImageSource};
use stylegan2::{Discriminator, Generator};
use vision_aided_finetune::{ImageSet, Trainer, TrainingConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let generator = Generator::load("weights/zoo/micah/generator.safetensors", &device)?;
    let critic = Discriminator::load("weights/zoo/micah/discriminator.safetensors", &device)?;
    let source = ImageSource::open("weights/queries/funEmoji")?;
    let side = generator.config().img_resolution;
    let (images, _) = ImageSet::read(&source, side, BadImages::Refuse)?;
    let images = Arc::new(images);
    let config = TrainingConfig {
        batch_size: 4,
        ..TrainingConfig::default()
    };
    let mut trainer = Trainer::new(config, generator, None, critic, images, &device)?;
    for _ in 0..10 {
        let report = trainer.step()?;
        println!(
            "iteration {}: losses {:.3} and {:.3}",
            report.iteration, report.generator_loss, report.discriminator_loss
        );
    }
    assert_eq!(trainer.images_shown(), 40);
    std::fs::create_dir_all("out/crates")?;
    let file = "out/crates/trained.safetensors";
    Ok(trainer
        .generator_average()
        .save(file, FloatPrecision::F16)?)
}
