//! Times a randomly initialized generator, by default the official 1024x1024 one at batch 1: forward passes, or with
//! `gradient` forward and backward passes to the latents with constant weights, as inversion makes them.
//!
//! `cargo run --release -p stylegan2 --example full_size [resolution] [channel_base] [batch] [passes] [gradient]`; run
//! it under `/usr/bin/time -v` for the peak memory.

use std::time::Instant;

use burn::tensor::Device;
use stylegan2::{Generator, GeneratorConfig, NoiseMode, Truncation, latents_from_seeds};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: usize| arguments.next().map_or(Ok(default), |a| a.parse());
    let (resolution, channel_base) = (next(1024)?, next(32768)?);
    let (batch, passes) = (next(1)?, next(3)?);
    let gradient = arguments.next().as_deref() == Some("gradient");
    let config = GeneratorConfig::new(resolution).with_channel_base(channel_base);
    let device = Device::flex();
    let start = Instant::now();
    let generator = Generator::init(&config, 0, &device)?;
    println!("initialized in {:.3} s", start.elapsed().as_secs_f64());
    let seeds: Vec<u32> = (0..u32::try_from(batch)?).collect();
    for _ in 0..passes {
        let start = Instant::now();
        let z = latents_from_seeds(&seeds, config.z_dim, &device);
        let w_plus = generator.mapping.forward(z, None, Truncation::NONE);
        let data = if gradient {
            let w_plus = w_plus.autodiff().require_grad();
            let images = generator
                .synthesis
                .forward(w_plus.clone(), &NoiseMode::Constant);
            let gradients = images.powi_scalar(2).mean().backward();
            w_plus.grad(&gradients).ok_or("no gradient")?.into_data()
        } else {
            generator
                .synthesis
                .forward(w_plus, &NoiseMode::Constant)
                .into_data()
        };
        println!(
            "{:?} in {:.3} s",
            data.shape(),
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
