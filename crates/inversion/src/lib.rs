//! Invert images into W or W+ of a StyleGAN2 generator by optimisation.
//!
//! Given a generator g and a target image t, [`invert`] searches the latents whose image is most like the target:
//!
//! ```text
//! minimise over w_plus:  lambda_lpips LPIPS(g(w_plus), t) + lambda_mse mean((g(w_plus) - t)^2)
//! ```
//!
//! with Adam, as Image2StyleGAN does in W+ (Abdal et al. 2019, "Image2StyleGAN: How to Embed Images Into the StyleGAN Latent
//! Space?") and StyleGAN2's projector in W (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D). The
//! projector's learning-rate ramp, perturbation of w and optimised noise images are options, as is a pull towards the mean latent.
//!
//! A batch of targets is optimised together, each exactly as if alone: the losses are summed over the batch, so no image's gradient
//! depends on another image, and Adam works on each number for itself.

mod adam_variable;
mod config;
mod error;
mod inversion;
mod invert;
mod noise_regularisation;
mod objective;
mod perturbation;
mod progress;
mod schedule;
mod start;
mod tracker;
mod w_statistics;

pub use config::{
    EarlyStopping, InversionConfig, LatentSpace, Noise, NoiseOptimisation, NoiseStart,
    Perturbation, Start,
};
pub use error::InversionError;
pub use inversion::{Inversion, Solution, StopReason, psnr};
pub use invert::invert;
pub use noise_regularisation::{noise_regularisation, normalise_noise};
pub use objective::LossTerms;
pub use progress::Progress;
pub use schedule::Schedule;
