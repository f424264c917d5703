//! Fréchet distance, KID, precision and recall, density and coverage between sets of images, under named protocols.

mod error;
mod feature_set;
mod frechet;
mod image_features;
mod images;
mod protocol;
mod stream;

pub use error::MetricsError;
pub use feature_set::{FeatureSet, Keep};
pub use frechet::{FrechetReference, FrechetTerms, frechet_distance, frechet_terms};
pub use image_features::ImageFeatures;
pub use images::ImageSource;
pub use protocol::FidProtocol;
pub use stream::{
    BadImages, StoredImages, StreamOptions, feature_moments, generated_features, stored_features,
};
