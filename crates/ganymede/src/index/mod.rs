//! Builds, changes and evaluates the index of a zoo: the statistics of all models' features, which
//! [`search`](crate::search) ranks them by.
//!
//! Each model makes samples, and a feature network turns them into vectors of length 1. Kept of these are mean and
//! covariance, and how likely the model finds its own samples.
//!
//! ```
//! use ganymede::index::{self, BuildOptions, Sampling};
//! use ganymede::model_zoo::{Card, Zoo};
//! use ganymede::stylegan2::{Generator, GeneratorConfig};
//! use ganymede::{Context, Device};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("zoo");
//! let context = Context::new(Device::flex());
//! let config = GeneratorConfig::from_json(
//!     r#"{"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3, "synthesis_kwargs": {"channel_base": 32}}"#,
//! )?;
//! let generator = Generator::init(&config, 0, context.device())?;
//! Zoo::create(&folder)?.add("noise", &generator, &Card::new("noise", "CC0-1.0"))?;
//! let options = BuildOptions {
//!     dimension: 3,
//!     sampling: Sampling { samples: 20, zoo: Some(folder), ..Sampling::default() },
//!     ..BuildOptions::default()
//! };
//! let built = index::build(&options, &context, &mut ())?;
//! assert_eq!((built.models, built.dimension), (1, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod cross_fit;
mod evaluate;
mod merge;
mod options;
mod own_scores;
mod part;
mod protocol;
mod shard;
mod training_moments;
mod update;

use std::path::Path;

use model_zoo::Zoo;

pub use build::{Built, build};
pub use cross_fit::{CrossFitted, Settings};
pub use evaluate::{Accuracies, Row, evaluate};
pub use merge::{merge, merge_parts};
pub use options::{BuildOptions, ChangeOptions, EvaluateOptions, MergeOptions, Sampling};
pub use shard::{WrittenPart, build_part};
pub use update::{Updated, add, remove, update};

pub use crate::part_file::PART_SUFFIX;
use crate::{BASE, Context, Error};

/// All models of a folder, or of the weights folder's zoo, but the one that others were trained from.
fn open(zoo: Option<&Path>, context: &Context) -> Result<Zoo, Error> {
    let root = match zoo {
        Some(root) => root.to_owned(),
        None => context.weights()?.zoo(),
    };
    Ok(Zoo::open_without(root, &[BASE])?)
}
