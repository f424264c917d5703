//! `bias_act` as an operation of Burn's backends, with its derivatives.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, backend_extension};
use burn::tensor::Shape;

use crate::Activation;

/// `clamp(gain * activation(v))`, all options resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pointwise {
    pub(super) activation: Activation,
    pub(super) alpha: f32,
    pub(super) gain: f32,
    pub(super) clamp: Option<f32>,
}

/// From which value the derivative is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reference {
    /// None: the derivative is the gain everywhere.
    Constant,
    /// The result. Nothing is kept that would not be kept anyway.
    Output,
    /// The biased input, where the result does not determine it.
    Input,
}

impl Pointwise {
    pub(super) fn is_identity(&self) -> bool {
        self.activation == Activation::Linear && self.gain == 1.0 && self.clamp.is_none()
    }

    pub(super) fn reference(&self) -> Reference {
        match self.activation {
            Activation::Linear if self.clamp.is_none() => Reference::Constant,
            Activation::Swish => Reference::Input,
            // Differs from bias_act.cu: with a negative slope both sides give positive results, so the input is kept
            // instead of a gradient with the wrong slope.
            Activation::LeakyRelu if self.alpha < 0.0 => Reference::Input,
            _ => Reference::Output,
        }
    }
}

/// The backends that have [`bias_act`](super::bias_act()) for `f32` tensors of shape `[batch, channels, ...]`.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub(crate) trait BiasActOps: Backend {
    /// `pointwise(x + bias)`, with the bias `[channels]` along dimension 1.
    fn bias_act(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pointwise: Pointwise,
    ) -> FloatTensor<Self>;

    /// `pointwise(x)`.
    fn activate(x: FloatTensor<Self>, pointwise: Pointwise) -> FloatTensor<Self>;
}

/// The derivative of [`BiasActOps`].
pub(crate) trait BiasActGradientOps: BiasActOps {
    /// `gradient` times the derivative of `pointwise` at `reference`, which is the biased input or the result as
    /// [`Pointwise::reference`] says.
    fn bias_act_gradient(
        gradient: FloatTensor<Self>,
        reference: FloatTensor<Self>,
        pointwise: Pointwise,
    ) -> FloatTensor<Self>;
}

#[derive(Clone, Debug)]
struct State<B: Backend> {
    pointwise: Pointwise,
    reference: Option<FloatTensor<B>>,
}

impl<B: BiasActGradientOps> State<B> {
    fn gradient(self, gradient: FloatTensor<B>) -> FloatTensor<B> {
        match self.reference {
            Some(reference) => B::bias_act_gradient(gradient, reference, self.pointwise),
            None if self.pointwise.gain == 1.0 => gradient,
            None => B::float_mul_scalar(gradient, self.pointwise.gain.into()),
        }
    }
}

/// Runs `forward` and keeps what the derivative needs.
fn run_and_keep<B: BiasActGradientOps>(
    pointwise: Pointwise,
    x: FloatTensor<B>,
    forward: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    biased: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> (State<B>, FloatTensor<B>) {
    let (reference, y) = match pointwise.reference() {
        Reference::Constant => (None, forward(x)),
        Reference::Output => {
            let y = forward(x);
            (Some(y.clone()), y)
        }
        Reference::Input => {
            let biased = biased(x);
            (Some(biased.clone()), B::activate(biased, pointwise))
        }
    };
    let state = State {
        pointwise,
        reference,
    };
    (state, y)
}

/// Shape of a bias of `shape[1]` channels that broadcasts over `shape`.
fn broadcast_shape(shape: &Shape) -> Shape {
    let channels = |axis: usize| if axis == 1 { shape[1] } else { 1 };
    Shape::from((0..shape.num_dims()).map(channels).collect::<Vec<usize>>())
}

/// Sums over all axes but the channels'.
fn sum_to_channels<B: Backend>(gradient: FloatTensor<B>) -> FloatTensor<B> {
    let shape = gradient.shape();
    let (batch, channels) = (shape[0], shape[1]);
    let pixels = shape.num_elements() / (batch * channels);
    let flat = B::float_reshape(gradient, Shape::from([batch, channels, pixels]));
    let sum = B::float_sum_dim(B::float_sum_dim(flat, 2), 0);
    B::float_reshape(sum, Shape::from([channels]))
}

#[derive(Debug)]
struct BiasActBackward;

impl<B: BiasActGradientOps> Backward<B, 2> for BiasActBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = ops.state.gradient(gradients.consume::<B>(&ops.node));
        let [x, bias] = ops.parents;
        if let Some(bias) = bias {
            gradients.register::<B>(bias.id, sum_to_channels::<B>(gradient.clone()));
        }
        if let Some(x) = x {
            gradients.register::<B>(x.id, gradient);
        }
    }
}

#[derive(Debug)]
struct ActivateBackward;

impl<B: BiasActGradientOps> Backward<B, 1> for ActivateBackward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = ops.state.gradient(gradients.consume::<B>(&ops.node));
        let [x] = ops.parents;
        if let Some(x) = x {
            gradients.register::<B>(x.id, gradient);
        }
    }
}

impl<B: BiasActGradientOps, C: CheckpointStrategy> BiasActOps for Autodiff<B, C> {
    fn bias_act(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        pointwise: Pointwise,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (bias, bias_node) = bias.into_parts();
        match BiasActBackward
            .prepare::<C>([x_node, bias_node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(preparation) => {
                let (state, y) = run_and_keep::<B>(
                    pointwise,
                    x,
                    |x| B::bias_act(x, bias.clone(), pointwise),
                    |x| {
                        let shape = broadcast_shape(&x.shape());
                        B::float_add(x, B::float_reshape(bias.clone(), shape))
                    },
                );
                preparation.finish(state, y)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(B::bias_act(x, bias, pointwise)),
        }
    }

    fn activate(x: FloatTensor<Self>, pointwise: Pointwise) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match ActivateBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(preparation) => {
                let (state, y) =
                    run_and_keep::<B>(pointwise, x, |x| B::activate(x, pointwise), |x| x);
                preparation.finish(state, y)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(B::activate(x, pointwise)),
        }
    }
}
