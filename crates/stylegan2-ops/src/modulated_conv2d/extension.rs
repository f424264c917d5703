use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, backend_extension};

use crate::Conv2d;
use crate::conv2d::extension::{ConvolutionKernels, Scales, plane};

/// Added to the sum of squares before the demodulation's square root, as in the official `modulated_conv2d`.
const DEMODULATION_EPSILON: f32 = 1e-8;

/// A modulated convolution without its filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct ModulatedConvolution {
    pub convolution: Conv2d,
    /// Whether the convolution is transposed.
    pub transposed: bool,
    /// Whether the kernel is turned by 180 degrees first.
    pub flip: bool,
    pub demodulate: bool,
}

/// Modulated convolution as an operation of a backend, with or without derivatives.
///
/// Shapes: `x` `[N, IC, IH, IW]`, `weight` `[OC, IC, KH, KW]`, `styles` `[N, IC]`.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait ModulatedConvolutionOps: Backend {
    fn modulated_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        styles: FloatTensor<Self>,
        options: ModulatedConvolution,
    ) -> FloatTensor<Self>;
}

#[cfg(feature = "cpu")]
impl ModulatedConvolutionOps for burn::backend::Flex {
    fn modulated_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        styles: FloatTensor<Self>,
        options: ModulatedConvolution,
    ) -> FloatTensor<Self> {
        options.forward::<Self>(x, weight, styles).0
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl ModulatedConvolutionOps for burn_cubecl::CubeBackend {
    fn modulated_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        styles: FloatTensor<Self>,
        options: ModulatedConvolution,
    ) -> FloatTensor<Self> {
        options.forward::<Self>(x, weight, styles).0
    }
}

impl ModulatedConvolution {
    /// The result, and the demodulation `d` `[N, OC]`.
    fn forward<B: ConvolutionKernels>(
        self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        styles: FloatTensor<B>,
    ) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let demodulation = self.demodulate.then(|| {
            let energy = energy::<B>(weight.clone());
            let squared = B::float_mul(styles.clone(), styles.clone());
            let sum = B::matrix_product(squared, B::float_swap_dims(energy, 0, 1));
            B::float_recip(B::float_sqrt(B::float_add_scalar(
                sum,
                DEMODULATION_EPSILON.into(),
            )))
        });
        let scales = Scales {
            input: Some(styles),
            output: demodulation.clone(),
        };
        let kernel = plane::<B>(&weight);
        let weight = self.oriented::<B>(weight);
        let y = if self.transposed {
            let size = self
                .convolution
                .transposed_output_size(plane::<B>(&x), kernel);
            B::correlate_adjoint(x, weight, scales, self.convolution, size)
        } else {
            B::correlate(x, weight, None, scales, self.convolution)
        };
        (y, demodulation)
    }

    /// The weight as the convolution takes it, and back: the map is its own inverse.
    fn oriented<B: Backend>(self, weight: FloatTensor<B>) -> FloatTensor<B> {
        let weight = if self.flip {
            B::float_flip(weight, &[2, 3])
        } else {
            weight
        };
        if self.transposed {
            B::float_swap_dims(weight, 0, 1)
        } else {
            weight
        }
    }
}

/// Sums of squares over the kernel, `[OC, IC]`.
fn energy<B: ConvolutionKernels>(weight: FloatTensor<B>) -> FloatTensor<B> {
    B::plane_products(weight.clone(), weight)
}

/// What the backward pass keeps.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    x: NodeId,
    weight: NodeId,
    styles: NodeId,
    y: FloatTensor<B>,
    demodulation: Option<FloatTensor<B>>,
    input_size: [usize; 2],
    kernel_size: [usize; 2],
    options: ModulatedConvolution,
}

#[derive(Debug)]
struct ModulatedConvolutionStep;

impl<B: ConvolutionKernels> Backward<B, 3> for ModulatedConvolutionStep {
    type State = Kept<B>;

    /// With `y = d (w * s x)`, `q = sum (w s)^2 + epsilon` and `d = q^(-1/2)`, for an output gradient `g`:
    ///
    /// - `dx = s z` where `z` is the adjoint convolution of `d g`;
    /// - `ds = <x, z> - s sum over OC of d^2 <g, y> e`, where `e` is the energy of a kernel, since
    ///   `<g, w * s x> = <g, y> / d` and the derivative of `d` in `q` is `-d^3 / 2`;
    /// - `dw` is the adjoint in the weight of `s x` and `d g`, minus `w sum over the batch of d^2 <g, y> s^2` for the
    ///   same reason.
    fn backward(
        self,
        ops: Ops<Kept<B>, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [x_node, weight_node, styles_node] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let kept = ops.state;
        let options = kept.options;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept.x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept.weight);
        let styles = checkpointer.retrieve_node_output::<FloatTensor<B>>(kept.styles);

        // d^2 <g, y>, [N, OC]
        let demodulated = match (&kept.demodulation, &weight_node, &styles_node) {
            (None, _, _) | (_, None, None) => None,
            (Some(d), _, _) => {
                let products = B::plane_products(gradient.clone(), kept.y);
                let squared = B::float_mul(d.clone(), d.clone());
                Some(B::float_mul(squared, products))
            }
        };

        if let Some(node) = weight_node {
            let scaled_x = B::scale_planes(x.clone(), styles.clone());
            let scaled_gradient = match &kept.demodulation {
                Some(d) => B::scale_planes(gradient.clone(), d.clone()),
                None => gradient.clone(),
            };
            // The transposed convolution swaps the roles of input and output.
            let (input, output) = if options.transposed {
                (scaled_gradient, scaled_x)
            } else {
                (scaled_x, scaled_gradient)
            };
            let adjoint =
                B::correlate_weight_adjoint(input, output, options.convolution, kept.kernel_size);
            let mut result = options.oriented::<B>(adjoint);
            if let Some(demodulated) = &demodulated {
                let squared = B::float_mul(styles.clone(), styles.clone());
                let sum = B::matrix_product(B::float_swap_dims(demodulated.clone(), 0, 1), squared); // [OC, IC]
                result = B::float_sub(result, B::scale_planes(weight.clone(), sum));
            }
            grads.register::<B>(node.id, result);
        }

        if x_node.is_none() && styles_node.is_none() {
            return;
        }
        // Where the style has no gradient, its factor goes into the convolution's output.
        let fused = styles_node.is_none();
        let scales = Scales {
            input: kept.demodulation,
            output: fused.then(|| styles.clone()),
        };
        let oriented = options.oriented::<B>(weight.clone());
        let z = if options.transposed {
            B::correlate(gradient, oriented, None, scales, options.convolution)
        } else {
            B::correlate_adjoint(
                gradient,
                oriented,
                scales,
                options.convolution,
                kept.input_size,
            )
        };
        if let Some(node) = styles_node {
            let mut result = B::plane_products(x, z.clone());
            if let Some(demodulated) = demodulated {
                let sum = B::matrix_product(demodulated, energy::<B>(weight)); // [N, IC]
                result = B::float_sub(result, B::float_mul(styles.clone(), sum));
            }
            grads.register::<B>(node.id, result);
        }
        if let Some(node) = x_node {
            let result = if fused { z } else { B::scale_planes(z, styles) };
            grads.register::<B>(node.id, result);
        }
    }
}

impl<B: ConvolutionKernels + ModulatedConvolutionOps, C: CheckpointStrategy> ModulatedConvolutionOps
    for Autodiff<B, C>
{
    fn modulated_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        styles: FloatTensor<Self>,
        options: ModulatedConvolution,
    ) -> FloatTensor<Self> {
        match ModulatedConvolutionStep
            .prepare::<C>([x.node(), weight.node(), styles.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let [x_id, weight_id, styles_id] =
                    [&x, &weight, &styles].map(|tensor| prep.checkpoint(tensor));
                let input_size = plane::<B>(x.primitive());
                let kernel_size = plane::<B>(weight.primitive());
                let (y, demodulation) = options.forward::<B>(
                    x.into_primitive(),
                    weight.into_primitive(),
                    styles.into_primitive(),
                );
                let kept = Kept {
                    x: x_id,
                    weight: weight_id,
                    styles: styles_id,
                    y: y.clone(),
                    demodulation,
                    input_size,
                    kernel_size,
                    options,
                };
                prep.finish(kept, y)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::modulated_convolution(
                x.into_primitive(),
                weight.into_primitive(),
                styles.into_primitive(),
                options,
            )),
        }
    }
}
