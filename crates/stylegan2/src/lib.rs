//! StyleGAN2 generator and discriminator in Burn, with every option of the official networks.
//!
//! [`Generator`] and [`Discriminator`] follow `training/networks.py` of stylegan2-ada-pytorch (Karras et al. 2020,
//! "Analyzing and Improving the Image Quality of StyleGAN" and "Training Generative Adversarial Networks with Limited
//! Data"): the configuration takes the official arguments, tensors have the official names in files, and seeds draw the
//! official latents.
//!
//! ```
//! use burn::tensor::Device;
//! use stylegan2::{Generator, GeneratorConfig, NoiseMode, Truncation, latents_from_seeds};
//!
//! let config = GeneratorConfig::new(16).with_z_dim(8).with_w_dim(8).with_mapping_layers(2).with_channel_base(128);
//! let device = Device::flex();
//! let generator = Generator::init(&config, 0, &device)?;
//! let z = latents_from_seeds(&[85, 265], config.z_dim, &device);
//! let images = generator.forward(z, None, Truncation::psi(0.7), &NoiseMode::Constant);
//! assert_eq!(images.dims(), [2, 3, 16, 16]);
//! # Ok::<(), stylegan2::StyleGan2Error>(())
//! ```
//!
//! A program that loads a generator and makes images: `examples/crates/stylegan2_generate.rs` in the repository.
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod class_labels;
mod config;
mod conv2d_layer;
mod discriminator;
mod discriminator_block;
mod discriminator_epilogue;
mod error;
mod finite;
mod formats;
mod fully_connected;
mod generator;
mod growing;
mod initializer;
mod latent_file;
mod latents;
mod mapping;
mod minibatch_std;
mod network_file;
mod noise;
mod random_state;
pub mod regularization;
mod resample_filter;
mod style_mixing;
mod synthesis;
mod synthesis_block;
mod synthesis_layer;
mod tangent;
mod to_rgb;
mod weight_delta;

pub use config::{
    ActivationName, Architecture, BlockConfig, DiscriminatorConfig, EpilogueConfig,
    GeneratorConfig, MappingConfig, ResampleTaps, SynthesisConfig,
};
pub use conv2d_layer::{Conv2dLayer, Conv2dLayerOptions};
pub use discriminator::Discriminator;
pub use error::StyleGan2Error;
pub use fully_connected::{FullyConnected, FullyConnectedOptions};
pub use generator::Generator;
pub use latent_file::{FileLatent, FileOffset, LatentFile};
pub use latents::{latent_from_seed, latents_from_seeds};
pub use mapping::{MappingNetwork, Truncation};
pub use noise::NoiseMode;
pub use random_state::RandomState;
pub use style_mixing::mix_styles;
pub use synthesis::{BlockOutput, FeatureOffset, SynthesisNetwork};
pub use weight_delta::{LowRank, WeightDelta};
