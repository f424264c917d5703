//! Principal directions of a StyleGAN2's latents, layer-wise edits along them, and paths between latents.
//!
//! After Härkönen, Hertzmann, Lehtinen and Paris, "GANSpace: Discovering Interpretable GAN Controls" (2020): the
//! principal components of sampled `w`, or of a block's activations regressed back to `w`, are candidates for edits
//! that a person can name. The crate works on arrays and knows no generator: the caller samples latents, renders images
//! and measures distances.
//!
//! Latents have the project's layouts: `w` is a row of `[samples, w_dim]`, `w_plus` is `[num_ws, w_dim]`, one row for
//! each modulated layer.
//!
//! ```
//! use feature_stats::{Ddof, Moments};
//! use ganspace::{LatentDirections, PrincipalComponents};
//! use ndarray::{Array2, array};
//!
//! // Latents that spread along (3, 4) / 5 only, with standard deviation 10.
//! let mut moments = Moments::new(2);
//! moments.add_rows(array![[6.0f64, 8.0], [-6.0, -8.0]].view())?;
//! let statistics = moments.mean_covariance(Ddof::Population)?;
//! let directions = LatentDirections::of_latents(PrincipalComponents::fit(&statistics, 1)?);
//! assert!((directions.stdev()[0] - 10.0).abs() < 1e-12);
//!
//! // Half a standard deviation along the first component, on layers 1 and 2 of four.
//! let edit = directions.edit(0, "1-2".parse()?)?;
//! let mut w_plus = Array2::zeros((4, 2));
//! edit.apply(&mut w_plus, 0.5)?;
//! let difference = w_plus - array![[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [0.0, 0.0f32]];
//! assert!(difference.iter().all(|d| d.abs() < 1e-5));
//! # Ok::<(), ganspace::GanspaceError>(())
//! ```
//!
//! A program that edits an image of a model: `examples/crates/ganspace_edit.rs` in the repository.
//!
//! # Feature flags
//!
//! This crate has none.

mod association;
mod easing;
mod edit;
mod edit_book;
mod effect;
mod error;
mod incremental_pca;
mod interpolation;
mod latent_directions;
mod latent_regression;
mod layer_range;
mod linear_score;
mod mixture;
mod path;
mod principal_components;
mod sample_checks;
mod smoothness;

pub use association::{Association, associations};
pub use easing::Easing;
pub use edit::{Edit, apply_edits};
pub use edit_book::{Basis, EditBook, NamedEdit};
pub use effect::{Effect, EffectTrials, effects};
pub use error::GanspaceError;
pub use incremental_pca::IncrementalPca;
pub use interpolation::Interpolation;
pub use latent_directions::LatentDirections;
pub use latent_regression::LatentRegression;
pub use layer_range::LayerRange;
pub use linear_score::LinearScore;
pub use mixture::exclusive_mixture;
pub use path::Path;
pub use principal_components::PrincipalComponents;
pub use smoothness::{Smoothness, even_times, smoothness};
