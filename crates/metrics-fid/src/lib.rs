//! Fréchet distance, KID, precision and recall, density and coverage between sets of images, under named protocols.

mod diversity;
mod error;
mod extrapolation;
mod feature_set;
mod frechet;
mod gram;
mod image_features;
mod images;
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
pub use frechet::{FrechetReference, FrechetTerms, frechet_distance, frechet_terms};
pub use image_features::ImageFeatures;
pub use images::ImageSource;
pub use kernel_distance::{
    KernelEstimate, KernelSubsets, kernel_distance, kernel_distance_of_subsets,
};
pub use manifold::{
    DENSITY_COVERAGE_NEIGHBOURS, DensityCoverage, PRECISION_RECALL_NEIGHBOURS, PrecisionRecall,
    density_coverage, precision_recall,
};
pub use npz::{read_npz_features, read_npz_statistics, write_npz_statistics};
pub use path_length::{PATH_EPSILON, PathSpace, perceptual_path_length};
pub use protocol::FidProtocol;
pub use stream::{
    BadImages, StoredImages, StreamOptions, feature_moments, generated_features, stored_features,
};
