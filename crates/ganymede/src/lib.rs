//! Finds the StyleGAN2 generator that fits an image, inverts the image into it, edits, trains and measures.
//!
//! Each module named after a verb is a *job*: `Options` (with defaults, readable by serde), `run`, and an `Outcome`
//! that serde writes. A job takes a [`Context`] (the device, where weights are, the models that are already loaded) and
//! tells an [`Observer`] how far it is. It prints nothing. Nobody has to listen: `&mut ()` is an observer too.
//!
//! ```
//! use ganymede::{Context, Device, generate};
//! # if ganymede::Weights::open(None).is_err() { return Ok(()) }
//!
//! # let out = tempfile::tempdir()?;
//! let context = Context::new(Device::flex());
//! let options = generate::Options {
//!     model: "micah".to_owned(),
//!     seeds: "0-3".parse()?,
//!     out: Some(out.path().to_owned()),
//!     ..generate::Options::default()
//! };
//! let outcome = generate::run(&options, &context, &mut ())?;
//! assert_eq!(outcome.images.len(), 4);
//! assert!(outcome.images[0].file.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crates below the jobs are here under their names, and with them Burn's [`Device`] and [`Tensor`], so that a
//! program needs this crate alone: `docs/outside/` in the repository is one.
//!
//! # Cancelling
//!
//! [`Observer::cancelled`] is asked between two pieces of work. A job that has something to give then returns it, with
//! `cancelled` set; one that has not returns [`Error::Cancelled`].
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |
//! | `clap` | options of jobs as options of a command line (`clap::Args`) |
//!
//! # In a browser
//!
//! This crate and those below it compile for `wasm32-unknown-unknown` with the feature `cpu`; computation is on one
//! thread. There is no file system: paths below `memory:` name files in the program's memory ([`whole_file::memory`]),
//! and with [`Context::with_weights`] of such a folder these jobs run as they do elsewhere: `generate`, `search`,
//! `invert`, `edit`, `interpolate`, `drag`, `find_and_invert` and [`picture`]. Training, changes of an index and of a
//! folder of models, and sets of images that are folders need a file system. Random numbers come from JavaScript, which
//! whoever builds the last program has to allow:
//! `RUSTFLAGS='--cfg getrandom_backend="wasm_js" -C target-feature=+simd128'`.

pub mod class;
#[cfg(all(test, feature = "clap"))]
mod command_line;
mod context;
pub mod convert;
pub mod device;
pub mod digest;
pub mod drag;
pub mod edit;
mod error;
pub mod feature_offset;
pub mod features;
pub mod figure;
pub mod files;
pub mod find_and_invert;
pub mod generate;
pub mod images;
pub mod index;
pub mod index_record;
pub mod interpolate;
pub mod invert;
mod kept_directions;
pub mod kept_moments;
pub mod latents;
pub mod line_plot;
mod markdown;
pub mod measure;
pub mod median;
mod model;
pub mod model_image;
mod numbers;
mod observer;
mod part_file;
pub mod picture;
pub mod protocol;
pub mod quality;
mod recent;
pub mod regressed_start;
pub mod rendering;
pub mod runs;
pub mod sampling;
pub mod search;
mod seeds;
pub mod shard;
#[cfg(test)]
mod small_model;
pub mod statistics;
mod strip;
pub mod study;
mod text;
#[cfg(test)]
mod threads;
pub mod train;
pub mod training_images;
pub mod transfer;
mod weights;
pub mod zoo;

pub use context::Context;
pub use error::Error;
pub use model::{DEFAULT_MODEL, Model};
pub use observer::{Milestone, Number, Observer, Phase, Preview, Warning};
pub use seeds::{Seeds, SeedsError};
pub use weights::{BASE, Weights};

pub use burn::tensor::{Device, Tensor};

pub use backbones;
pub use checkpoint_file;
pub use cpu_kernels;
pub use feature_stats;
pub use ganspace;
pub use image_source;
pub use image_tensor;
pub use inversion;
pub use lpips;
pub use metrics_fid;
pub use model_zoo;
pub use retrieval_gaussian;
pub use stylegan2;
pub use stylegan2_ops;
pub use vision_aided_finetune;
pub use whole_file;
