use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};
use stylegan2_ops::matmul;

use super::{DEPTH, EMBEDDING, block_key, state_dict, variant};
use crate::transformer::{LayerNorm, Transformer, constant, patches, plain};

const WIDTH: usize = 768;
const PATCH: usize = 32;
/// The class token and 7 x 7 patches.
const TOKENS: usize = 1 + (ClipImage::INPUT_SIZE / PATCH) * (ClipImage::INPUT_SIZE / PATCH);

/// The image tower of CLIP ViT-B/32: a vision transformer with quick GELU.
#[derive(Module, Debug)]
pub struct ClipImage {
    /// `[768, 3, 32, 32]`
    conv1: Param<Tensor<4>>,
    /// `[768]`
    class_embedding: Param<Tensor<1>>,
    /// `[50, 768]`
    positional_embedding: Param<Tensor<2>>,
    ln_pre: LayerNorm,
    transformer: Transformer,
    ln_post: LayerNorm,
    /// `[768, 512]`
    proj: Param<Tensor<2>>,
}

/// What [`ClipImage::forward`] returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClipImageActivations {
    /// Output of each of the 12 residual blocks, `[batch, 50, 768]`: the class token, then 7 x 7 patches row by row.
    pub blocks: Vec<Tensor<3>>,
    /// `[batch, 512]`, not normalized.
    pub embedding: Tensor<2>,
}

impl ClipImage {
    /// Length of an embedding.
    pub const FEATURES: usize = EMBEDDING;
    /// Side of the images.
    pub const INPUT_SIZE: usize = 224;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let device = &plain(device);
        Self {
            conv1: constant(Tensor::zeros([WIDTH, 3, PATCH, PATCH], device)),
            class_embedding: constant(Tensor::zeros([WIDTH], device)),
            positional_embedding: constant(Tensor::zeros([TOKENS, WIDTH], device)),
            ln_pre: LayerNorm::init(WIDTH, device),
            transformer: Transformer::init(WIDTH, DEPTH, device),
            ln_post: LayerNorm::init(WIDTH, device),
            proj: constant(Tensor::zeros([WIDTH, EMBEDDING], device)),
        }
    }

    /// Loads the `visual.*` part of OpenAI's weights; the text tower may be in the file too.
    ///
    /// OpenAI distributes `ViT-B-32.pt`, a TorchScript archive: its tensors are read, its code is not looked at. Half
    /// precision is cast to f32.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the tower.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        let visual = state_dict(checkpoint, "visual.class_embedding")?
            .rename(|name| name.starts_with("visual.").then(|| name.to_owned()));
        load_module(&Self::init(device), &visual, key)
    }

    /// Blocks and embedding of `x` `[batch, 3, 224, 224]`, normalized with CLIP's mean and standard deviation;
    /// [`Preprocessing::CLIP_VIT_B32`](crate::Preprocessing::CLIP_VIT_B32) makes it.
    ///
    /// # Panics
    /// When `x` has another shape.
    pub fn forward(&self, x: Tensor<4>) -> ClipImageActivations {
        let side = Self::INPUT_SIZE;
        let batch = x.dims()[0];
        assert_eq!(
            x.dims(),
            [batch, 3, side, side],
            "the input of CLIP ViT-B/32"
        );
        let weight: Tensor<2> = self.conv1.val().flatten(1, 3);
        let patches = matmul(patches(x, PATCH), weight.transpose().unsqueeze());
        let class = self.class_embedding.val().reshape([1, 1, WIDTH]);
        let tokens = Tensor::cat(vec![class.repeat_dim(0, batch), patches], 1);
        let tokens = tokens + self.positional_embedding.val().unsqueeze();
        let tokens = self.ln_pre.forward(tokens, super::NORMALIZATION_EPSILON);
        let blocks = self.transformer.forward(tokens, variant(false));
        let last = blocks.last().expect("twelve blocks").clone();
        let class = last
            .slice([0..batch, 0..1, 0..WIDTH])
            .reshape([batch, WIDTH]);
        let class = self.ln_post.forward(class, super::NORMALIZATION_EPSILON);
        ClipImageActivations {
            blocks,
            embedding: matmul(class, self.proj.val()),
        }
    }
}

fn key(path: &str) -> String {
    match path {
        "conv1" => "visual.conv1.weight".to_owned(),
        _ => format!("visual.{}", block_key(path)),
    }
}
