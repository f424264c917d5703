use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::TensorData;
use cpu_kernels::feature_distance::{self, FeatureSlices};

use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};
use super::{LENGTH_EPSILON, Reduction, SQUARED_LENGTH_EPSILON};

impl FeatureDistanceOps for Flex {
    fn feature_distance(
        x: FlexTensor,
        target: FlexTensor,
        head: FlexTensor,
        reduction: Reduction,
    ) -> FlexTensor {
        let (x, target, head) = (contiguous(x), contiguous(target), contiguous(head));
        let [batch, _, height, width] = x.layout().shape().dims();
        let map = feature_distance::distances(&features(&x, &target, &head));
        let (values, shape) = match reduction {
            Reduction::None => (map, [batch, 1, height, width]),
            Reduction::Mean => {
                let means = map.chunks_exact(height * width).map(mean).collect();
                (means, [batch, 1, 1, 1])
            }
        };
        FlexTensor::from_data(TensorData::new(values, shape))
    }
}

impl FeatureDistanceGradientOps for Flex {
    fn feature_distance_gradient(
        gradient: FlexTensor,
        x: FlexTensor,
        target: FlexTensor,
        head: FlexTensor,
        reduction: Reduction,
    ) -> FlexTensor {
        let gradient = contiguous(gradient);
        let (x, target, head) = (contiguous(x), contiguous(target), contiguous(head));
        let features = features(&x, &target, &head);
        let gradient = values(&gradient);
        let pixels = features.pixels;
        let result = match reduction {
            Reduction::None => feature_distance::gradient(&features, |image, pixel| {
                gradient[image * pixels + pixel]
            }),
            Reduction::Mean => {
                feature_distance::gradient(&features, |image, _| gradient[image] / pixels as f32)
            }
        };
        FlexTensor::from_data(TensorData::new(result, x.layout().shape().dims::<4>()))
    }
}

fn features<'a>(
    x: &'a FlexTensor,
    target: &'a FlexTensor,
    head: &'a FlexTensor,
) -> FeatureSlices<'a> {
    let [_, _, height, width] = x.layout().shape().dims();
    FeatureSlices {
        x: values(x),
        target: values(target),
        head: values(head),
        pixels: height * width,
        length_epsilon: LENGTH_EPSILON,
        squared_length_epsilon: SQUARED_LENGTH_EPSILON,
    }
}

fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() {
        x
    } else {
        x.to_contiguous()
    }
}

fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice()
        .unwrap_or_else(|| panic!("LPIPS: expected contiguous f32, found {x:?}"))
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (sum / values.len() as f64) as f32
}
