//! Which of many generative models is likely to make an image: rank them by the density of its features.
//!
//! Every model is known by the mean and covariance of its samples' features. The scores are those of Lu et al.,
//! "Content-based search for deep generative models" (2023), see [`RetrievalMethod`]. An [`Index`] holds the models
//! factored, so that a score is one pass over one packed triangle; it is mapped from its file and can be larger than
//! memory. Features come from any network: the index checks their dimension only.
//!
//! ```
//! use feature_stats::MeanCovariance;
//! use ndarray::array;
//! use retrieval_gaussian::{IndexBuilder, IndexSettings, Query, RetrievalMethod, SearchOptions};
//!
//! let mut builder = IndexBuilder::new(IndexSettings::new(2))?;
//! let spread = array![[0.02, 0.0], [0.0, 0.02]];
//! builder.add("cats", &MeanCovariance::new(array![1.0, 0.0], spread.clone())?)?;
//! builder.add("dogs", &MeanCovariance::new(array![0.0, 1.0], spread)?)?;
//! let index = builder.build()?;
//!
//! let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
//! let ranking = index.search(&Query::feature(&[0.9, 0.1]), &options)?;
//! assert_eq!(ranking.models[0].model, "cats");
//! // log N(q; mu, 0.021 I) = -log(2 pi 0.021) - 0.02 / (2 * 0.021)
//! let expected = -(std::f64::consts::TAU * 0.021).ln() - 0.02 / 0.042;
//! assert!((ranking.models[0].score - expected).abs() < 1e-5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that ranks the zoo's models: `examples/crates/retrieval_gaussian_rank.rs` in the repository.
//!
//! # Feature flags
//!
//! This crate has none.

mod builder;
mod error;
mod evaluation;
mod format;
mod index;
mod index_file;
mod method;
mod prepared_query;
mod query;
mod ranking;
mod score;
mod search;
mod settings;
mod storage;

pub use builder::IndexBuilder;
pub use error::RetrievalError;
pub use evaluation::{EvaluatedQuery, Evaluation, mean_average_precision, top_k_accuracy};
pub use format::Verification;
pub use index::Index;
pub use index_file::IndexFile;
pub use method::{PUBLISHED_INVERSE_TEMPERATURE, RetrievalMethod, SearchOptions};
pub use query::Query;
pub use ranking::{RankedModel, Ranking};
pub use settings::{IndexPrecision, IndexSettings, MAX_DIMENSION, MAX_INPUT_DIMENSION};
