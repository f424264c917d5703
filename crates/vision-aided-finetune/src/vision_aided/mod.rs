//! Discriminators on frozen vision networks (Kumari et al. 2022, "Ensembling Off-the-shelf Models for GAN Training").
//!
//! A [`VisionBackbone`] turns images into features of one or several levels, a small trained [`VisionAidedHead`] says
//! how real each level looks, and a [`VisionAidedLoss`] makes one number of the levels. A [`VisionAidedDiscriminator`]
//! is the three together; [`Trainer::add_vision_aided`](crate::Trainer::add_vision_aided) trains with it beside the
//! image discriminator. A [`LinearProbe`] says which of several networks to add next.

mod backbone;
mod balance;
mod config;
mod discriminator;
mod head;
mod loss;
mod selection;
mod spectral_norm;

pub(crate) use balance::GradientBalance;

pub use backbone::{LevelShape, VisionBackbone, VisionBackboneKind, VisionFeature, VisionLevels};
pub use config::VisionAidedConfig;
pub use discriminator::VisionAidedDiscriminator;
pub use head::{HeadConfig, HeadForm, HeadLevel, VisionAidedHead};
pub use loss::VisionAidedLoss;
pub use selection::{LinearProbe, ProbeScore, RankedBackbone};
