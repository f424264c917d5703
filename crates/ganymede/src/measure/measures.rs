//! What the features of two sets say about each other.

use metrics_fid::{
    DENSITY_COVERAGE_NEIGHBORS, Extrapolation, KernelSubsets, PRECISION_RECALL_NEIGHBORS,
    density_coverage, extrapolated_frechet_distance, frechet_terms, kernel_distance,
    kernel_distance_of_subsets, precision_recall,
};
use serde::{Deserialize, Serialize};

use super::Options;
use super::set::Set;
use crate::Error;

/// None for what needs the single images of both sets, where there are only statistics or too few images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Of the two Gaussians.
    pub frechet_distance: f64,
    /// What of it comes from the means.
    pub mean_term: f64,
    /// What of it comes from the covariances.
    pub covariance_term: f64,
    /// Followed to infinitely many generated images, where that was asked for.
    pub frechet_distance_infinity: Option<f64>,
    /// Kernel distance, the mean over subsets where there are any.
    pub kid: Option<f64>,
    /// Over subsets; none for all images at once.
    pub kid_std: Option<f64>,
    /// Share of generated images near a real one.
    pub precision: Option<f64>,
    /// Share of real images near a generated one.
    pub recall: Option<f64>,
    /// How many neighborhoods of real images a generated one is in, over the expected number.
    pub density: Option<f64>,
    /// Share of real images with a generated one in their neighborhood.
    pub coverage: Option<f64>,
}

impl Measures {
    pub(super) fn new(options: &Options, real: &Set, generated: &Set) -> Result<Self, Error> {
        let terms = frechet_terms(&real.statistics, &generated.statistics)?;
        let mut measures = Self {
            frechet_distance: terms.distance(),
            mean_term: terms.mean,
            covariance_term: terms.covariance,
            frechet_distance_infinity: None,
            kid: None,
            kid_std: None,
            precision: None,
            recall: None,
            density: None,
            coverage: None,
        };
        let features = |set: &Set| {
            set.images
                .as_ref()
                .and_then(|set| set.features().map(|f| f.to_owned()))
        };
        let (real_features, generated_features) = (features(real), features(generated));
        if options.infinity {
            let Some(generated) = &generated_features else {
                return Err(Error::option(
                    "infinity",
                    "",
                    "it needs the generated images, not their statistics",
                ));
            };
            let extrapolation = Extrapolation {
                seed: options.seed,
                ..Extrapolation::default()
            };
            let found =
                extrapolated_frechet_distance(generated.view(), &real.statistics, extrapolation)?;
            measures.frechet_distance_infinity = Some(found.distance);
        }
        let (Some(real), Some(generated)) = (real_features, generated_features) else {
            return Ok(measures);
        };
        let (real, generated) = (real.view(), generated.view());
        if options.kid_subsets > 0 {
            let subsets = KernelSubsets {
                count: options.kid_subsets,
                size: options.kid_subset_size,
                seed: options.seed,
            };
            let kid = kernel_distance_of_subsets(real, generated, subsets)?;
            measures.kid = Some(kid.mean);
            measures.kid_std = Some(kid.std);
        } else {
            measures.kid = Some(kernel_distance(real, generated)?);
        }
        let images = real.nrows().min(generated.nrows());
        if images > PRECISION_RECALL_NEIGHBORS {
            let found = precision_recall(real, generated, PRECISION_RECALL_NEIGHBORS)?;
            measures.precision = Some(found.precision);
            measures.recall = Some(found.recall);
        }
        if images > DENSITY_COVERAGE_NEIGHBORS {
            let found = density_coverage(real, generated, DENSITY_COVERAGE_NEIGHBORS)?;
            measures.density = Some(found.density);
            measures.coverage = Some(found.coverage);
        }
        Ok(measures)
    }
}
