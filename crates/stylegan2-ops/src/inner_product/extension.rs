use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};

/// Inner products of rows as an operation of a backend, with or without derivatives.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait InnerProductOps: Backend {
    /// Of `a` and `b`, both `[rows, length]`: `[rows]`.
    fn row_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[cfg(feature = "cpu")]
impl InnerProductOps for burn::backend::Flex {
    fn row_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        use burn::backend::ops::FloatTensorOps;
        let rows = a.shape()[0];
        let sums = Self::float_sum_dim(Self::float_mul(a, b), 1);
        Self::float_reshape(sums, [rows].into())
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl InnerProductOps for burn_cubecl::CubeBackend {
    fn row_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let rows = a.shape()[0];
        gpu_kernels::rows_dot(a, b, &[rows])
    }
}

/// What the backward pass keeps: a factor is there only where the other one is tracked.
#[derive(Clone, Debug)]
struct Kept {
    factors: [Option<NodeId>; 2],
}

#[derive(Debug)]
struct RowProducts;

impl<B: InnerProductOps> Backward<B, 2> for RowProducts {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [a_node, b_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let rows = gradient.shape()[0];
        let gradient = B::float_reshape(gradient, [rows, 1].into());
        let Kept { factors: [a, b] } = ops.state;
        for (node, other) in [(a_node, b), (b_node, a)] {
            if let (Some(node), Some(other)) = (node, other) {
                let other = checkpointer.retrieve_node_output::<FloatTensor<B>>(other);
                grads.register::<B>(node.id, B::float_mul(other, gradient.clone()));
            }
        }
    }
}

impl<B: InnerProductOps, C: CheckpointStrategy> InnerProductOps for Autodiff<B, C> {
    fn row_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        match RowProducts
            .prepare::<C>([a.node(), b.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let (keep_a, keep_b) = (b.is_tracked(), a.is_tracked());
                let factors = [
                    keep_a.then(|| prep.checkpoint(&a)),
                    keep_b.then(|| prep.checkpoint(&b)),
                ];
                let y = B::row_products(a.into_primitive(), b.into_primitive());
                prep.finish(Kept { factors }, y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::row_products(a.into_primitive(), b.into_primitive()))
            }
        }
    }
}
