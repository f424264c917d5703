//! Distances between sets of images under named protocols: Fréchet distance, KID, precision and recall, density and
//! coverage, and what is computed from perceptual distances that the caller measures.
//!
//! | step | with |
//! |---|---|
//! | network and protocol | [`ImageFeatures`]: a [`FidProtocol`] with Inception-v3, or any `FeatureExtractor` of `backbones` under its own name |
//! | images to features | [`stored_features`] of a folder or archive ([`ImageSource`]), [`generated_features`] of a generator, [`feature_moments`] where mean and covariance are enough |
//! | statistics of others | [`read_npz_statistics`], [`write_npz_statistics`]; our own are `feature_stats::Moments`, which are saved and merged |
//! | two folders | [`fid`], all of it in one call |
//! | two sets | [`frechet_distance`], [`kernel_distance`], [`precision_recall`], [`density_coverage`] |
//! | few images | [`extrapolated_frechet_distance`] |
//! | one set, one model | [`diversity`], [`perceptual_path_length`] |
//!
//! A Fréchet distance is a *FID* only with Inception-v3's features of the weights `pt_inception-2015-12-05`, and two
//! FIDs can be compared only under one protocol. [`ImageFeatures::distance_name`] says what a value is.
//!
//! Features are rows of f32, `[images, dimension]`; all sums over images are taken in f64. Everything random is drawn
//! from a seed, the same on every machine.
//!
//! ```
//! use feature_stats::{Ddof, Moments};
//! use metrics_fid::{frechet_distance, kernel_distance, precision_recall};
//! use ndarray::array;
//!
//! let real = array![[0.0f32, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]];
//! let generated = &real + 1.0;
//! let statistics = |rows: &ndarray::Array2<f32>| {
//!     let mut moments = Moments::new(2);
//!     moments.add_rows(rows.view())?;
//!     moments.mean_covariance(Ddof::Sample)
//! };
//! // The same spread, one unit further in both features.
//! let distance = frechet_distance(&statistics(&real)?, &statistics(&generated)?)?;
//! assert!((distance - 2.0).abs() < 1e-12);
//! assert!(kernel_distance(real.view(), generated.view())? > 0.0);
//! // Balls of radius 2 around the corners of a square reach all corners of the other.
//! let found = precision_recall(real.view(), generated.view(), 1)?;
//! assert_eq!((found.precision, found.recall), (1.0, 1.0));
//! # Ok::<(), metrics_fid::MetricsError>(())
//! ```
//!
//! A program that compares two folders of images: `examples/crates/metrics_fid_folders.rs` in the repository.
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod diversity;
mod error;
mod extrapolation;
mod feature_set;
mod fid;
mod frechet;
mod gram;
mod image_features;
mod kernel_distance;
mod manifold;
mod npz;
mod path_length;
mod protocol;
mod random;
mod stream;

pub use diversity::{Diversity, diversity, image_pairs};
pub use error::MetricsError;
pub use extrapolation::{ExtrapolatedDistance, Extrapolation, extrapolated_frechet_distance};
pub use feature_set::{FeatureSet, Keep};
pub use fid::{FidOptions, fid};
pub use frechet::{FrechetReference, FrechetTerms, frechet_distance, frechet_terms};
pub use image_features::ImageFeatures;
pub use image_source::{BadImages, ImageSource};
pub use kernel_distance::{
    KernelEstimate, KernelSubsets, kernel_distance, kernel_distance_of_subsets,
};
pub use manifold::{
    DENSITY_COVERAGE_NEIGHBORS, DensityCoverage, PRECISION_RECALL_NEIGHBORS, PrecisionRecall,
    density_coverage, precision_recall,
};
pub use npz::{read_npz_features, read_npz_statistics, write_npz_statistics};
pub use path_length::{PATH_EPSILON, PathSpace, perceptual_path_length};
pub use protocol::FidProtocol;
pub use stream::{
    StoredImages, StreamOptions, feature_moments, generated_features, stored_features,
};
