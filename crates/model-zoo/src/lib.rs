//! Opens a folder of StyleGAN2 generators with their cards, statistics and licenses.
//!
//! A [`Zoo`] is a folder with a folder a model: `generator.safetensors`, `card.toml` (a [`Card`]), and optionally
//! `discriminator.safetensors` and `samples.png`. Beside them lies `index.ganymede`, the statistics of all models'
//! features, which `retrieval-gaussian` searches.
//!
//! ```
//! use burn::tensor::Device;
//! use model_zoo::{Card, Zoo};
//! use stylegan2::{Generator, GeneratorConfig};
//!
//! let folder = tempfile::tempdir()?;
//! let zoo = Zoo::create(folder.path().join("zoo"))?;
//! let config = GeneratorConfig::new(16).with_z_dim(8).with_w_dim(8).with_channel_base(64);
//! let generator = Generator::init(&config, 0, &Device::flex())?;
//! let zoo = zoo.add("noise", &generator, &Card::new("noise", "CC0-1.0"))?;
//! assert_eq!(zoo.model("noise")?.card().img_resolution(), Some(16));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod card;
mod card_text;
mod error;
mod files;
mod model;
mod quality;
mod zoo;

pub use card::{Card, Configuration};
pub use error::ZooError;
pub use model::ZooModel;
pub use quality::{FeatureQuality, InversionQuality, Quality};
pub use zoo::Zoo;
