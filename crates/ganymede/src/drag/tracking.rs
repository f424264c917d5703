use burn::tensor::Tensor;

use super::features::FeatureMap;

/// The pixel within `radius` columns and rows of `point` whose features are nearest to `handle` `[channels, 1]` in the
/// L1 norm.
pub(super) fn track(
    map: &FeatureMap,
    handle: &Tensor<2>,
    point: [f64; 2],
    radius: usize,
) -> [f64; 2] {
    let last = map.0.dims()[3] - 1;
    let middle = point.map(|x| x.round().clamp(0.0, last as f64) as usize);
    let first = middle.map(|x| x.saturating_sub(radius));
    let size = [0, 1].map(|axis| (middle[axis] + radius).min(last) - first[axis] + 1);
    let apart: Tensor<2> = (map.part(first, size) - handle.clone()).abs().sum_dim(0);
    let distances: Vec<f32> = apart.into_data().iter::<f32>().collect();
    let nearest = distances
        .iter()
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(b.1))
        .map_or(0, |(index, _)| index);
    [
        (first[0] + nearest % size[0]) as f64,
        (first[1] + nearest / size[0]) as f64,
    ]
}
