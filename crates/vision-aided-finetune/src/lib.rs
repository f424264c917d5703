//! Train and fine-tune StyleGAN2: non-saturating logistic or relativistic loss, lazy R1, R2 and path length, style
//! mixing, DiffAugment, even areas of one color, exact resume.
//!
//! [`Trainer`] follows the training loop of stylegan2-ada-pytorch (Karras et al. 2020, "Training Generative Adversarial
//! Networks with Limited Data"): [`Trainer::step`] is one iteration, [`Trainer::save`] and [`Trainer::resume`] continue
//! it bit for bit on the CPU, and the parts are usable on their own: [`ImageSet`], [`DiffAugment`], [`Adam`],
//! [`ExponentialMovingAverage`].
//!
//! All random numbers of an iteration are drawn from the seed and the iteration's number, so a checkpoint holds no
//! generator's state.
//!
//! A program that trains ten iterations: `examples/crates/vision_aided_finetune_train.rs` in the repository.
//!
//! ```
//! use vision_aided_finetune::{AdamOptions, DiffAugment};
//!
//! let policy: DiffAugment = "color,translation,cutout".parse()?;
//! assert_eq!(policy.to_string(), "color,translation,cutout");
//! // What Adam gets where a penalty is computed in every 16th iteration only.
//! let options = AdamOptions::default().for_lazy_regularization(16);
//! assert_eq!(options.beta_2, 0.99f64.powf(16.0 / 17.0));
//! # Ok::<(), vision_aided_finetune::TrainingError>(())
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod anneal;
pub mod augment;
mod both;
mod config;
mod counters;
mod error;
pub mod flatness;
mod history;
mod images;
pub mod loss;
mod networks;
mod optimize;
mod progressive;
mod random;
mod ranges;
mod state;
mod trainer;
pub mod vision_aided;

pub use anneal::Annealing;
pub use augment::DiffAugment;
pub use config::TrainingConfig;
pub use error::TrainingError;
pub use history::{History, HistoryEntry, Log};
pub use images::{ImageSet, ShuffledOrder};
pub use networks::freeze_discriminator_layers;
pub use optimize::{Adam, AdamOptions, ExponentialMovingAverage};
pub use progressive::ProgressiveStage;
pub use state::{SavedNetworks, SavedVisionNetwork};
pub use trainer::{StepReport, Trainer};
