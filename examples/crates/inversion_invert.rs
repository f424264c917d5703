//! Crate `inversion`: find the latents whose image looks like a given one.
//!
//! `cargo run --release --example inversion_invert`, in the repository's folder

use std::error::Error;

use burn::tensor::Device;
use image_tensor::read_target;
use inversion::{InversionConfig, invert};
use lpips::{Lpips, LpipsNetwork, Version};
use stylegan2::Generator;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let generator = Generator::load("weights/zoo/micah/generator.safetensors", &device)?;
    let metric = Lpips::load(
        LpipsNetwork::AlexNet,
        Version::V0_1,
        "weights/features",
        &device,
    )?;
    let target = read_target("weights/queries/micah/2.png", 64, &device)?;
    let config = InversionConfig {
        steps: 20,
        ..InversionConfig::default()
    };
    let found = invert(&generator, &metric, target, &config)?;
    let best = &found[0].best;
    println!("w_plus {:?}, PSNR {:.1} dB", best.w_plus.dims(), best.psnr);
    assert!(best.losses.total < found[0].curve[0].total);
    Ok(())
}
