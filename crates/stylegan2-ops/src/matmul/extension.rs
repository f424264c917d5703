use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};
use burn::tensor::Shape;

/// Products of matrices as an operation of a backend, with or without derivatives.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait MatrixProductOps: Backend {
    /// `a` `[.., M, K]` times `b` `[.., K, N]`.
    fn matrix_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[cfg(feature = "cpu")]
impl MatrixProductOps for burn::backend::Flex {
    fn matrix_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        use burn::backend::ops::FloatTensorOps;
        Self::float_matmul(a, b)
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl MatrixProductOps for burn_cubecl::CubeBackend {
    fn matrix_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        gpu_kernels::matrix_product(a, b)
    }
}

/// What the backward pass keeps: a factor is there only where the other one is tracked.
#[derive(Clone, Debug)]
struct Kept {
    factors: [Option<NodeId>; 2],
    shapes: [Shape; 2],
}

#[derive(Debug)]
struct MatrixProduct;

impl<B: MatrixProductOps> Backward<B, 2> for MatrixProduct {
    type State = Kept;

    /// For an output gradient `g`: `g b^T` and `a^T g`, summed over leading sizes that were repeated.
    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [a_node, b_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let Kept {
            factors: [a, b],
            shapes: [a_shape, b_shape],
        } = ops.state;
        if let (Some(node), Some(b)) = (a_node, b) {
            let b = checkpointer.retrieve_node_output::<FloatTensor<B>>(b);
            let product = B::matrix_product(gradient.clone(), transposed::<B>(b));
            grads.register::<B>(node.id, summed_to::<B>(product, &a_shape));
        }
        if let (Some(node), Some(a)) = (b_node, a) {
            let a = checkpointer.retrieve_node_output::<FloatTensor<B>>(a);
            let product = B::matrix_product(transposed::<B>(a), gradient);
            grads.register::<B>(node.id, summed_to::<B>(product, &b_shape));
        }
    }
}

fn transposed<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let rank = x.shape().num_dims();
    B::float_swap_dims(x, rank - 2, rank - 1)
}

fn summed_to<B: Backend>(mut x: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
    for axis in 0..shape.num_dims() {
        if shape[axis] != x.shape()[axis] {
            x = B::float_sum_dim(x, axis);
        }
    }
    x
}

impl<B: MatrixProductOps, C: CheckpointStrategy> MatrixProductOps for Autodiff<B, C> {
    fn matrix_product(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        match MatrixProduct
            .prepare::<C>([a.node(), b.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let (keep_a, keep_b) = (b.is_tracked(), a.is_tracked());
                let kept = Kept {
                    factors: [
                        keep_a.then(|| prep.checkpoint(&a)),
                        keep_b.then(|| prep.checkpoint(&b)),
                    ],
                    shapes: [a.primitive().shape(), b.primitive().shape()],
                };
                let y = B::matrix_product(a.into_primitive(), b.into_primitive());
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::matrix_product(a.into_primitive(), b.into_primitive()))
            }
        }
    }
}
