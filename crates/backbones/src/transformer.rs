//! The pre-norm transformer that vision transformers and CLIP's text tower share.

use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor};
use stylegan2_ops::matmul;

use crate::gelu::Gelu;
use crate::linear::Linear;

/// Width of one attention head in all networks of this crate.
const HEAD: usize = 64;
/// The perceptron's hidden layer, in widths.
const EXPANSION: usize = 4;

/// Layer normalization over the last dimension.
#[derive(Module, Debug)]
pub(crate) struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// With zero weights, to be loaded.
    pub fn init(width: usize, device: &Device) -> Self {
        Self {
            weight: constant(Tensor::zeros([width], &plain(device))),
            bias: constant(Tensor::zeros([width], &plain(device))),
        }
    }

    /// `[.., width]`, any rank.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, epsilon: f64) -> Tensor<D> {
        layer_norm(x, self.weight.val(), Some(self.bias.val()), epsilon)
    }
}

/// What distinguishes the transformers from each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub activation: Gelu,
    /// Added to the variances of layer normalizations.
    pub epsilon: f64,
    /// Whether a token sees only itself and those before it.
    pub is_causal: bool,
}

/// Self-attention and a perceptron, each behind a layer normalization and added to its input.
#[derive(Module, Debug)]
pub(crate) struct Block {
    norm1: LayerNorm,
    /// Queries, keys and values, in this order, each with its heads one after the other.
    qkv: Linear,
    projection: Linear,
    norm2: LayerNorm,
    expand: Linear,
    contract: Linear,
}

impl Block {
    fn init(width: usize, device: &Device) -> Self {
        Self {
            norm1: LayerNorm::init(width, device),
            qkv: Linear::init(width, 3 * width, device),
            projection: Linear::init(width, width, device),
            norm2: LayerNorm::init(width, device),
            expand: Linear::init(width, EXPANSION * width, device),
            contract: Linear::init(EXPANSION * width, width, device),
        }
    }

    /// `[batch, tokens, width]` to the same; `mask` `[1, 1, tokens, tokens]` is added to the scores.
    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4>>, variant: Variant) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        // Rows of all images in one matrix make one large product.
        let x = x.reshape([batch * tokens, width]);
        let h = self.norm1.forward(x.clone(), variant.epsilon);
        let attended = attention(self.qkv.forward(h), [batch, tokens], mask);
        let x = x + self.projection.forward(attended);
        let h = self.norm2.forward(x.clone(), variant.epsilon);
        let h = variant.activation.apply(self.expand.forward(h));
        (x + self.contract.forward(h)).reshape([batch, tokens, width])
    }
}

/// Multi-head attention: `softmax(q kᵀ / sqrt(64) + mask) v` for `qkv` `[batch tokens, 3 width]`; the result is
/// `[batch tokens, width]`.
fn attention(qkv: Tensor<2>, [batch, tokens]: [usize; 2], mask: Option<&Tensor<4>>) -> Tensor<2> {
    let width = qkv.dims()[1] / 3;
    let heads = width / HEAD;
    let part = |index: usize| {
        qkv.clone()
            .slice([0..batch * tokens, index * width..(index + 1) * width])
            .reshape([batch, tokens, heads, HEAD])
            .swap_dims(1, 2) // [batch, heads, tokens, HEAD]
    };
    // Scaling the queries is cheaper than scaling the scores.
    let queries = part(0) * (HEAD as f32).powf(-0.5);
    let scores = matmul(queries, part(1).transpose()); // [batch, heads, tokens, tokens]
    let scores = match mask {
        Some(mask) => scores + mask.clone(),
        None => scores,
    };
    matmul(softmax(scores, 3), part(2))
        .swap_dims(1, 2) // [batch, tokens, heads, HEAD]
        .reshape([batch * tokens, width])
}

/// A stack of blocks.
#[derive(Module, Debug)]
pub(crate) struct Transformer {
    blocks: Vec<Block>,
}

impl Transformer {
    /// With zero weights, to be loaded.
    pub fn init(width: usize, depth: usize, device: &Device) -> Self {
        Self {
            blocks: (0..depth).map(|_| Block::init(width, device)).collect(),
        }
    }

    /// The output of every block, `[batch, tokens, width]`.
    pub fn forward(&self, x: Tensor<3>, variant: Variant) -> Vec<Tensor<3>> {
        let tokens = x.dims()[1];
        let mask = variant
            .is_causal
            .then(|| causal_mask(tokens, &x.device().without_autodiff()));
        let mut h = x;
        self.blocks
            .iter()
            .map(|block| {
                h = block.forward(h.clone(), mask.as_ref(), variant);
                h.clone()
            })
            .collect()
    }
}

/// `[1, 1, tokens, tokens]`: 0 where a token (row) may see another (column).
fn causal_mask(tokens: usize, device: &Device) -> Tensor<4> {
    /// Its exponential is 0 in f32 beside any score; an infinity is not safe on every backend.
    const UNSEEN: f32 = -1e9;
    let values: Vec<f32> = (0..tokens * tokens)
        .map(|index| {
            if index % tokens > index / tokens {
                UNSEEN
            } else {
                0.0
            }
        })
        .collect();
    Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, 1, tokens, tokens])
}

/// Square patches of images as rows: `[batch, channels, height, width]` to `[batch, patches, channels side side]`.
///
/// A convolution whose stride is its kernel's size is a matrix product of these rows.
///
/// # Panics
/// When a side of the image is no multiple of `side`.
pub(crate) fn patches(x: Tensor<4>, side: usize) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    assert!(
        height.is_multiple_of(side) && width.is_multiple_of(side),
        "an image of {height} x {width} pixels does not divide into patches of {side} x {side}"
    );
    let (rows, columns) = (height / side, width / side);
    x.reshape([batch, channels, rows, side, columns, side])
        .permute([0, 2, 4, 1, 3, 5])
        .reshape([batch, rows * columns, channels * side * side])
}

/// A frozen parameter.
pub(crate) fn constant<const D: usize>(values: Tensor<D>) -> Param<Tensor<D>> {
    Param::from_tensor(values).set_require_grad(false)
}

/// The device on which frozen parameters lie.
pub(crate) fn plain(device: &Device) -> Device {
    device.clone().without_autodiff()
}
