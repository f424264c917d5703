//! `feature_distance` as an operation of Burn's backends, with its derivatives.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, backend_extension};

use super::{Reduction, composed};

/// The backends that have [`feature_distance`](super::feature_distance()) for `f32` tensors.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait FeatureDistanceOps: Backend {
    /// The distance of activations `x` from normalized features `target`.
    fn feature_distance(
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        head: FloatTensor<Self>,
        reduction: Reduction,
    ) -> FloatTensor<Self>;
}

/// The derivative of [`FeatureDistanceOps`].
pub(crate) trait FeatureDistanceGradientOps: FeatureDistanceOps {
    /// The gradient at `x` from that at the result.
    fn feature_distance_gradient(
        gradient: FloatTensor<Self>,
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        head: FloatTensor<Self>,
        reduction: Reduction,
    ) -> FloatTensor<Self>;
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    x: FloatTensor<B>,
    target: FloatTensor<B>,
    head: FloatTensor<B>,
    reduction: Reduction,
}

#[derive(Debug)]
struct FeatureDistanceBackward;

impl<B: FeatureDistanceGradientOps> Backward<B, 2> for FeatureDistanceBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<B>(&ops.node);
        let State {
            x,
            target,
            head,
            reduction,
        } = ops.state;
        let [x_node, target_node] = ops.parents;
        if let Some(node) = target_node {
            let at_target = composed::gradient_at_target::<B>(
                gradient.clone(),
                x.clone(),
                target.clone(),
                head.clone(),
                reduction,
            );
            gradients.register::<B>(node.id, at_target);
        }
        if let Some(node) = x_node {
            let at_x = B::feature_distance_gradient(gradient, x, target, head, reduction);
            gradients.register::<B>(node.id, at_x);
        }
    }
}

impl<B: FeatureDistanceGradientOps, C: CheckpointStrategy> FeatureDistanceOps for Autodiff<B, C> {
    fn feature_distance(
        x: FloatTensor<Self>,
        target: FloatTensor<Self>,
        head: FloatTensor<Self>,
        reduction: Reduction,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (target, target_node) = target.into_parts();
        let (head, _) = head.into_parts();
        match FeatureDistanceBackward
            .prepare::<C>([x_node, target_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(preparation) => {
                let state = State {
                    x: x.clone(),
                    target: target.clone(),
                    head: head.clone(),
                    reduction,
                };
                preparation.finish(state, B::feature_distance(x, target, head, reduction))
            }
            OpsKind::UnTracked(preparation) => {
                preparation.finish(B::feature_distance(x, target, head, reduction))
            }
        }
    }
}
