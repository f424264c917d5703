//! What the features of two sets say about each other.

use metrics_fid::{
    DENSITY_COVERAGE_NEIGHBOURS, Extrapolation, KernelSubsets, PRECISION_RECALL_NEIGHBOURS,
    density_coverage, extrapolated_frechet_distance, frechet_terms, kernel_distance,
    kernel_distance_of_subsets, precision_recall,
};
use serde::Serialize;

use crate::Args;
use crate::set::Set;
use examples::Failure;

/// None for what needs the single images of both sets, where there are only statistics or too few images.
#[derive(Serialize)]
pub struct Measures {
    pub frechet_distance: f64,
    pub mean_term: f64,
    pub covariance_term: f64,
    pub frechet_distance_infinity: Option<f64>,
    pub kid: Option<f64>,
    /// Over subsets; none for all images at once.
    pub kid_std: Option<f64>,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    pub density: Option<f64>,
    pub coverage: Option<f64>,
}

impl Measures {
    pub fn new(args: &Args, real: &Set, generated: &Set) -> Result<Self, Failure> {
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
        if args.infinity {
            let Some(generated) = &generated_features else {
                return Err(
                    "--infinity: it needs the generated images, not their statistics".into(),
                );
            };
            let extrapolation = Extrapolation {
                seed: args.common.seed,
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
        if args.kid_subsets > 0 {
            let subsets = KernelSubsets {
                count: args.kid_subsets,
                size: args.kid_subset_size,
                seed: args.common.seed,
            };
            let kid = kernel_distance_of_subsets(real, generated, subsets)?;
            measures.kid = Some(kid.mean);
            measures.kid_std = Some(kid.std);
        } else {
            measures.kid = Some(kernel_distance(real, generated)?);
        }
        let images = real.nrows().min(generated.nrows());
        if images > PRECISION_RECALL_NEIGHBOURS {
            let found = precision_recall(real, generated, PRECISION_RECALL_NEIGHBOURS)?;
            measures.precision = Some(found.precision);
            measures.recall = Some(found.recall);
        }
        if images > DENSITY_COVERAGE_NEIGHBOURS {
            let found = density_coverage(real, generated, DENSITY_COVERAGE_NEIGHBOURS)?;
            measures.density = Some(found.density);
            measures.coverage = Some(found.coverage);
        }
        Ok(measures)
    }
}
