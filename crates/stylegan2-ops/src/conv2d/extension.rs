use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};

use crate::Conv2d;
use crate::matmul::extension::MatrixProductOps;

/// Factors on the planes of a convolution's input and output, `[N, channels]`.
pub(crate) struct Scales<B: Backend> {
    pub input: Option<FloatTensor<B>>,
    pub output: Option<FloatTensor<B>>,
}

impl<B: Backend> Scales<B> {
    /// No factors.
    pub const NONE: Self = Self {
        input: None,
        output: None,
    };
}

/// The linear maps that a convolution and its derivatives consist of, on one backend.
pub(crate) trait ConvolutionKernels: MatrixProductOps {
    /// Cross-correlation of `x` `[N, IC, IH, IW]` with `weight` `[OC, IC / groups, KH, KW]`, scaled, plus `bias`
    /// `[OC]`.
    fn correlate(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        scales: Scales<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self>;

    /// The adjoint of [`correlate`](Self::correlate) in its input: from `[N, OC, OH, OW]` to `[N, IC, size]`, scaled.
    fn correlate_adjoint(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        scales: Scales<Self>,
        options: Conv2d,
        size: [usize; 2],
    ) -> FloatTensor<Self>;

    /// The adjoint of [`correlate`](Self::correlate) in its weight, of kernel size `kernel`.
    fn correlate_weight_adjoint(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: Conv2d,
        kernel: [usize; 2],
    ) -> FloatTensor<Self>;

    /// Every plane of `x` `[batch, channels, h, w]` times its factor of `scale` `[batch, channels]`.
    fn scale_planes(x: FloatTensor<Self>, scale: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = scale.shape();
        Self::float_mul(
            x,
            Self::float_reshape(scale, [shape[0], shape[1], 1, 1].into()),
        )
    }

    /// Inner products `[batch, channels]` of the planes of two tensors `[batch, channels, h, w]`.
    fn plane_products(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = a.shape();
        let products = Self::float_sum_dims(Self::float_mul(a, b), &[2, 3]);
        Self::float_reshape(products, [shape[0], shape[1]].into())
    }
}

/// A linear map with its factors and bias as operations of their own, for kernels that do not fuse them.
pub(super) fn scaled_by_parts<B: ConvolutionKernels>(
    x: FloatTensor<B>,
    scales: Scales<B>,
    bias: Option<FloatTensor<B>>,
    map: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let x = match scales.input {
        Some(scale) => B::scale_planes(x, scale),
        None => x,
    };
    let y = map(x);
    let y = match scales.output {
        Some(scale) => B::scale_planes(y, scale),
        None => y,
    };
    match bias {
        Some(bias) => {
            let channels = bias.shape()[0];
            B::float_add(y, B::float_reshape(bias, [1, channels, 1, 1].into()))
        }
        None => y,
    }
}

/// Convolutions as operations of a backend, with or without derivatives.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait ConvolutionOps: Backend {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self>;

    fn biased_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self>;

    fn transposed_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self>;
}

macro_rules! operations_of {
    ($backend:ty) => {
        impl ConvolutionOps for $backend {
            fn convolution(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                options: Conv2d,
            ) -> FloatTensor<Self> {
                Self::correlate(x, weight, None, Scales::NONE, options)
            }

            fn biased_convolution(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                options: Conv2d,
            ) -> FloatTensor<Self> {
                Self::correlate(x, weight, Some(bias), Scales::NONE, options)
            }

            fn transposed_convolution(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                options: Conv2d,
            ) -> FloatTensor<Self> {
                let size =
                    options.transposed_output_size(plane::<Self>(&x), plane::<Self>(&weight));
                Self::correlate_adjoint(x, weight, Scales::NONE, options, size)
            }
        }
    };
}

#[cfg(feature = "cpu")]
operations_of!(burn::backend::Flex);
#[cfg(any(feature = "wgpu", feature = "cuda"))]
operations_of!(burn_cubecl::CubeBackend);

/// The last two sizes of a tensor: those of an image or of a kernel.
pub(crate) fn plane<B: Backend>(tensor: &FloatTensor<B>) -> [usize; 2] {
    let shape = tensor.shape();
    [shape[2], shape[3]]
}

/// What the backward pass keeps: an operand is there only where the other one is tracked.
#[derive(Clone, Debug)]
struct Kept {
    x: Option<NodeId>,
    weight: Option<NodeId>,
    input_size: [usize; 2],
    kernel_size: [usize; 2],
    options: Conv2d,
}

#[derive(Debug)]
struct Convolution;

#[derive(Debug)]
struct BiasedConvolution;

#[derive(Debug)]
struct TransposedConvolution;

impl<B: ConvolutionKernels> Backward<B, 2> for Convolution {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [x, weight] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        if let (Some(node), Some(id)) = (x, kept.weight) {
            let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            let x = B::correlate_adjoint(
                gradient.clone(),
                weight,
                Scales::NONE,
                kept.options,
                kept.input_size,
            );
            grads.register::<B>(node.id, x);
        }
        if let (Some(node), Some(id)) = (weight, kept.x) {
            let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            let weight = B::correlate_weight_adjoint(x, gradient, kept.options, kept.kernel_size);
            grads.register::<B>(node.id, weight);
        }
    }
}

impl<B: ConvolutionKernels> Backward<B, 3> for BiasedConvolution {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        if let (Some(node), Some(id)) = (x, kept.weight) {
            let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            let x = B::correlate_adjoint(
                gradient.clone(),
                weight,
                Scales::NONE,
                kept.options,
                kept.input_size,
            );
            grads.register::<B>(node.id, x);
        }
        if let (Some(node), Some(id)) = (weight, kept.x) {
            let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            let weight =
                B::correlate_weight_adjoint(x, gradient.clone(), kept.options, kept.kernel_size);
            grads.register::<B>(node.id, weight);
        }
        if let Some(node) = bias {
            let channels = gradient.shape()[1];
            let sum = B::float_sum_dim(gradient, 3);
            let sum = B::float_sum_dim(sum, 2);
            let sum = B::float_sum_dim(sum, 0);
            grads.register::<B>(node.id, B::float_reshape(sum, [channels].into()));
        }
    }
}

impl<B: ConvolutionKernels> Backward<B, 2> for TransposedConvolution {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let [x, weight] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        if let (Some(node), Some(id)) = (x, kept.weight) {
            let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            let x = B::correlate(gradient.clone(), weight, None, Scales::NONE, kept.options);
            grads.register::<B>(node.id, x);
        }
        if let (Some(node), Some(id)) = (weight, kept.x) {
            let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(id);
            // The adjoint swaps the roles of input and output.
            let weight = B::correlate_weight_adjoint(gradient, x, kept.options, kept.kernel_size);
            grads.register::<B>(node.id, weight);
        }
    }
}

macro_rules! keep {
    ($prep:ident, $x:ident, $weight:ident, $options:ident) => {{
        let keep_x = $weight.is_tracked();
        let keep_weight = $x.is_tracked();
        Kept {
            x: keep_x.then(|| $prep.checkpoint(&$x)),
            weight: keep_weight.then(|| $prep.checkpoint(&$weight)),
            input_size: plane::<B>($x.primitive()),
            kernel_size: plane::<B>($weight.primitive()),
            options: $options,
        }
    }};
}

impl<B: ConvolutionKernels + ConvolutionOps, C: CheckpointStrategy> ConvolutionOps
    for Autodiff<B, C>
{
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        match Convolution
            .prepare::<C>([x.node(), weight.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let kept = keep!(prep, x, weight, options);
                let y = B::convolution(x.into_primitive(), weight.into_primitive(), options);
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::convolution(
                x.into_primitive(),
                weight.into_primitive(),
                options,
            )),
        }
    }

    fn biased_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        match BiasedConvolution
            .prepare::<C>([x.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let kept = keep!(prep, x, weight, options);
                let y = B::biased_convolution(
                    x.into_primitive(),
                    weight.into_primitive(),
                    bias.into_primitive(),
                    options,
                );
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::biased_convolution(
                x.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
                options,
            )),
        }
    }

    fn transposed_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: Conv2d,
    ) -> FloatTensor<Self> {
        match TransposedConvolution
            .prepare::<C>([x.node(), weight.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let kept = keep!(prep, x, weight, options);
                let y =
                    B::transposed_convolution(x.into_primitive(), weight.into_primitive(), options);
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::transposed_convolution(
                x.into_primitive(),
                weight.into_primitive(),
                options,
            )),
        }
    }
}
