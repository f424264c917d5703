//! Train and fine-tune StyleGAN2: non-saturating logistic loss, lazy R1 and path length, style mixing, DiffAugment, exact resume.
//!
//! [`Trainer`] follows the training loop of stylegan2-ada-pytorch (Karras et al. 2020, "Training Generative Adversarial Networks with Limited
//! Data"): [`Trainer::step`] is one iteration, [`Trainer::save`] and [`Trainer::resume`] continue it bit for bit on the CPU, and the parts are usable
//! on their own: [`ImageSet`], [`DiffAugment`], [`Adam`], [`ExponentialMovingAverage`].
//!
//! All random numbers of an iteration are drawn from the seed and the iteration's number, so a checkpoint holds no generator's state.
//!
//! A program that trains ten iterations: `examples/crates/vision_aided_finetune_train.rs` in the repository.

mod anneal;
pub mod augment;
mod both;
mod config;
mod counters;
mod error;
mod history;
mod images;
pub mod loss;
mod networks;
mod optimise;
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
pub use optimise::{Adam, AdamOptions, ExponentialMovingAverage};
pub use progressive::ProgressiveStage;
pub use state::SavedNetworks;
pub use trainer::{StepReport, Trainer};
