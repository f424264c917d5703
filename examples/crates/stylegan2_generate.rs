//! Crate `stylegan2`: load a generator and make images.
//!
//! `cargo run --release --example stylegan2_generate`, in the repository's folder

use std::error::Error;

use burn::tensor::Device;
use image_tensor::{from_signed_unit, write_png};
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    // Files of stylegan2-ada-pytorch, stylegan3 and rosinality's port are read just so.
    let generator = Generator::load("weights/zoo/micah/generator.safetensors", &device)?;
    let z = latents_from_seeds(&[85, 265], generator.config().z_dim, &device);
    let images = generator.forward(z, None, Truncation::psi(0.7), &NoiseMode::Constant);
    assert_eq!(images.dims(), [2, 3, 64, 64]);
    std::fs::create_dir_all("out/crates")?;
    for (seed, image) in [85, 265].into_iter().zip(from_signed_unit(images)) {
        write_png(format!("out/crates/seed{seed:04}.png"), &image)?;
    }
    println!("two images in out/crates");
    Ok(())
}
