//! Crate `ganspace`: edit an image along a principal direction of the latents.
//!
//! `cargo run --release --example ganspace_edit`, in the repository's folder

use std::error::Error;

use burn::tensor::{Device, TensorData};
use feature_stats::{Ddof, Moments};
use ganspace::{LatentDirections, PrincipalComponents};
use image_tensor::{from_signed_unit, write_png};
use ndarray::Array2;
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let generator = Generator::load("weights/zoo/micah/generator.safetensors", &device)?;
    let config = generator.config();
    let seeds: Vec<u32> = (0..1000).collect();
    let w = generator
        .mapping
        .w(latents_from_seeds(&seeds, config.z_dim, &device), None);
    let rows = Array2::from_shape_vec((1000, config.w_dim), w.into_data().iter::<f32>().collect())?;
    let mut moments = Moments::new(config.w_dim);
    moments.add_rows(rows.view())?;
    let components = PrincipalComponents::fit(&moments.mean_covariance(Ddof::Sample)?, 5)?;
    let edit = LatentDirections::of_latents(components).edit(0, "all".parse()?)?;

    let z = latents_from_seeds(&[7], config.z_dim, &device);
    let w_plus = generator.mapping.forward(z, None, Truncation::NONE);
    let shape = [w_plus.dims()[1], w_plus.dims()[2]];
    let mut latent = Array2::from_shape_vec(shape, w_plus.into_data().iter::<f32>().collect())?;
    edit.apply(&mut latent, 2.0)?;
    let data = TensorData::new(latent.into_raw_vec_and_offset().0, [1, shape[0], shape[1]]);
    let w_plus = burn::tensor::Tensor::from_data(data, &device);
    let image = generator.synthesis.forward(w_plus, &NoiseMode::Constant);
    std::fs::create_dir_all("out/crates")?;
    write_png("out/crates/edited.png", &from_signed_unit(image)[0])?;
    Ok(())
}
