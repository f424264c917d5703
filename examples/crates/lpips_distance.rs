//! Crate `lpips`: how different two images look.
//!
//! `cargo run --release --example lpips_distance`, in the repository's folder

use std::error::Error;

use burn::tensor::{Device, Tensor};
use image_tensor::{DecodeLimits, decode_file, to_signed_unit};
use lpips::{Lpips, LpipsNetwork, Version};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let metric = Lpips::load(
        LpipsNetwork::AlexNet,
        Version::V0_1,
        "weights/features",
        &device,
    )?;
    let read = |file: &str| -> Result<Tensor<4>, Box<dyn Error>> {
        let image = decode_file(file, &DecodeLimits::default())?;
        Ok(to_signed_unit(&[image], &device))
    };
    let face = read("weights/queries/micah/0.png")?;
    let other_face = read("weights/queries/micah/1.png")?;
    let emoji = read("weights/queries/funEmoji/0.png")?;
    // What is compared often is prepared once.
    let target = metric.prepare(face)?;
    let near = metric.distance_to(&target, other_face).into_scalar::<f32>();
    let far = metric.distance_to(&target, emoji).into_scalar::<f32>();
    println!("another face: {near:.3}, an emoji: {far:.3}");
    assert!(0.0 < near && near < far);
    Ok(())
}
