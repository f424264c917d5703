//! `feature_distance` on graphics processors.

use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};
use super::{Reduction, composed};

impl FeatureDistanceOps for CubeBackend {
    fn feature_distance(
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        composed::feature_distance::<Self>(x, target, head, reduction)
    }
}

impl FeatureDistanceGradientOps for CubeBackend {
    fn feature_distance_gradient(
        gradient: CubeTensor,
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        composed::gradient_at_x::<Self>(gradient, x, target, head, reduction)
    }
}
