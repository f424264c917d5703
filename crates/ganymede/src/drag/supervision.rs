use burn::tensor::Tensor;

use super::features::FeatureMap;

/// A handle with the step that its surroundings are to take.
pub(super) struct Move {
    point: [f64; 2],
    /// At most one pixel long, towards the target.
    step: [f64; 2],
}

impl Move {
    /// None where the point is at its target.
    pub(super) fn new(point: [f64; 2], target: [f64; 2]) -> Option<Self> {
        let apart = [target[0] - point[0], target[1] - point[1]];
        let distance = apart[0].hypot(apart[1]);
        // Differs from the paper, whose step is one pixel also where the target is nearer than that: a handle would
        // pass it and turn around for ever.
        let length = distance.max(1.0);
        (distance > 0.0).then(|| Self {
            point,
            step: apart.map(|x| x / length),
        })
    }
}

/// The loss whose gradient moves the surroundings of each handle by its step. The paper's sum over pixels and channels
/// is a mean here, so that its weight does not depend on the size of the model.
pub(super) fn loss(map: &FeatureMap, moves: &[Move], radius: f64) -> Tensor<1> {
    let plain = map.without_autodiff();
    let mut loss = Tensor::zeros([1], &map.0.device());
    for Move { point, step } in moves {
        let here = disk(*point, radius);
        let there: Vec<[f64; 2]> = here
            .iter()
            .map(|q| [q[0] + step[0], q[1] + step[1]])
            .collect();
        // The features that should come there are those that are here, which stay as they are.
        loss = loss + (map.sample(&there) - plain.sample(&here)).abs().mean();
    }
    loss
}

/// Pixels of which the distance from a point is at most `radius`.
pub(super) fn disk(point: [f64; 2], radius: f64) -> Vec<[f64; 2]> {
    let reach = radius.ceil() as i32;
    let offsets = (-reach..=reach)
        .flat_map(|dy| (-reach..=reach).map(move |dx| [f64::from(dx), f64::from(dy)]));
    offsets
        .filter(|offset| offset[0].hypot(offset[1]) <= radius)
        .map(|offset| [point[0] + offset[0], point[1] + offset[1]])
        .collect()
}
