//! `upfirdn2d` as an operation of Burn's backends, with its derivative.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};

use super::UpFirDn2d;
use crate::Filter;

/// The backends that have [`upfirdn2d`](super::upfirdn2d) for `f32` tensors of shape
/// `[batch, channels, height, width]`.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait UpFirDn2dOps: Backend {
    /// Filters `x`; the parameters have been checked against its shape.
    fn upfirdn2d(x: FloatTensor<Self>, filter: Filter, parameters: UpFirDn2d) -> FloatTensor<Self>;
}

#[derive(Debug)]
struct UpFirDn2dBackward;

impl<B: UpFirDn2dOps> Backward<B, 1> for UpFirDn2dBackward {
    type State = (Filter, UpFirDn2d);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (filter, adjoint) = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            B::upfirdn2d(gradient, filter, adjoint)
        });
    }
}

impl<B: UpFirDn2dOps, C: CheckpointStrategy> UpFirDn2dOps for Autodiff<B, C> {
    fn upfirdn2d(x: FloatTensor<Self>, filter: Filter, parameters: UpFirDn2d) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match UpFirDn2dBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(preparation) => {
                let adjoint = parameters.adjoint(x.shape().dims(), &filter);
                let y = B::upfirdn2d(x, filter.clone(), parameters);
                preparation.finish((filter, adjoint), y)
            }
            OpsKind::UnTracked(preparation) => {
                preparation.finish(B::upfirdn2d(x, filter, parameters))
            }
        }
    }
}
