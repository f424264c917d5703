//! Invert images into W or W+ of a StyleGAN2 generator by optimization.
//!
//! Given a generator g and a target image t, [`invert`] searches the latents whose image is most like the target:
//!
//! ```text
//! minimize over w_plus:  lambda_lpips LPIPS(g(w_plus), t) + lambda_mse mean((g(w_plus) - t)^2)
//! ```
//!
//! with Adam, as Image2StyleGAN does in W+ (Abdal et al. 2019, "Image2StyleGAN: How to Embed Images Into the StyleGAN
//! Latent Space?") and StyleGAN2's projector in W (Karras et al. 2020, "Analyzing and Improving the Image Quality of
//! StyleGAN", appendix D), or with L-BFGS ([`Optimizer`]). The projector's learning-rate ramp, perturbation of w and
//! optimized noise images are options, as is a pull towards the mean latent.
//!
//! What W+ cannot reach, two further searches can, both from the latents that were found: [`refine`] adds an offset to
//! the features behind one block, where the image is not yet like its target, and [`tune`] changes the generator itself
//! a little. [`LatentPrior`] keeps the latents likely, so that edits work on them.
//!
//! A batch of targets is optimized together, each as if alone: the losses are summed over the batch, so no image's
//! gradient depends on another image, Adam works on each number for itself, and L-BFGS on each image for itself. Matrix
//! products choose their order of summation by their size, so that batches of different sizes may round differently; on
//! the CPU an image's result is the same, bit for bit, in every batch of one size.
//!
//! A program had better have an allocator that keeps freed memory, such as the crate `mimalloc`: with glibc's a step
//! at 64x64, batch 16, takes 1.4 times as long.
//!
//! ```
//! use burn::tensor::Device;
//! use inversion::{InversionConfig, invert};
//! use lpips::{Lpips, LpipsNetwork, Version};
//! use stylegan2::{Generator, GeneratorConfig, NoiseMode, Truncation, latents_from_seeds};
//!
//! # let features = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/features");
//! # if !std::path::Path::new(features).is_dir() { return Ok(()) }
//! let device = Device::flex();
//! let config = GeneratorConfig::new(64).with_z_dim(8).with_w_dim(8).with_mapping_layers(2).with_channel_base(256);
//! let generator = Generator::init(&config, 0, &device)?;
//! let metric = Lpips::load(LpipsNetwork::AlexNet, Version::V0_1, features, &device)?;
//! let z = latents_from_seeds(&[7], 8, &device);
//! let target = generator.forward(z, None, Truncation::NONE, &NoiseMode::Constant);
//!
//! let config = InversionConfig { steps: 20, ..InversionConfig::default() };
//! let results = invert(&generator, &metric, target, &config)?;
//! assert!(results[0].best.losses.total < results[0].curve[0].total);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that inverts an image file: `examples/crates/inversion_invert.rs` in the repository.
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod adam_variable;
mod config;
mod error;
mod inversion;
mod invert;
mod latents;
mod lbfgs;
mod noise_regularization;
mod objective;
mod perturbation;
mod prior;
mod progress;
mod refinement;
mod schedule;
mod start;
mod tracker;
mod tuning;
mod w_statistics;

pub use adam_variable::AdamVariable;
pub use config::{
    EarlyStopping, InversionConfig, LatentSpace, Noise, NoiseOptimization, NoiseStart, Optimizer,
    Perturbation, Start,
};
pub use error::InversionError;
pub use inversion::{Inversion, Solution, StopReason, psnr, psnr_of_pictures};
pub use invert::{invert, invert_with};
pub use noise_regularization::{noise_regularization, normalize_noise};
pub use objective::LossTerms;
pub use prior::LatentPrior;
pub use progress::{Progress, Step};
pub use refinement::{Refinement, RefinementConfig, offset_mask, refine, refine_with};
pub use schedule::Schedule;
pub use tuning::{Locality, Tuning, TuningConfig, tune, tune_with};
