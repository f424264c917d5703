use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use gpu_kernels::feature_distance::{FeatureTensors, Gradient, distances, gradient, means};

use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};
use super::{LENGTH_EPSILON, Reduction, SQUARED_LENGTH_EPSILON};

impl FeatureDistanceOps for CubeBackend {
    fn feature_distance(
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        let map = distances(features(x, target, head));
        match reduction {
            Reduction::None => map,
            Reduction::Mean => means(map),
        }
    }
}

impl FeatureDistanceGradientOps for CubeBackend {
    fn feature_distance_gradient(
        at_result: CubeTensor,
        x: CubeTensor,
        target: CubeTensor,
        head: CubeTensor,
        reduction: Reduction,
    ) -> CubeTensor {
        let of = match reduction {
            Reduction::None => Gradient::OfPixels,
            Reduction::Mean => Gradient::OfMeans,
        };
        gradient(features(x, target, head), at_result, of)
    }
}

fn features(x: CubeTensor, target: CubeTensor, head: CubeTensor) -> FeatureTensors {
    FeatureTensors {
        x,
        target,
        head,
        length_epsilon: LENGTH_EPSILON,
        squared_length_epsilon: SQUARED_LENGTH_EPSILON,
    }
}
