use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};
use stylegan2_ops::matmul;

use crate::gelu::Gelu;
use crate::layout::below_anchor;
use crate::transformer::{LayerNorm, Transformer, Variant, constant, patches, plain};

const WIDTH: usize = 768;
const DEPTH: usize = 12;
const PATCH: usize = 16;
/// The class token and 14 x 14 patches.
const TOKENS: usize = 1 + (DinoVitB16::INPUT_SIZE / PATCH) * (DinoVitB16::INPUT_SIZE / PATCH);
const VARIANT: Variant = Variant {
    activation: Gelu::Exact,
    // As timm and the original code.
    epsilon: 1e-6,
    is_causal: false,
};

/// Parts of training checkpoints behind the features.
const HEAD: &str = "head.";

/// ViT-B/16 trained with DINO (Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021).
#[derive(Module, Debug)]
pub struct DinoVitB16 {
    /// `[1, 1, 768]`
    cls_token: Param<Tensor<3>>,
    /// `[1, 197, 768]`
    pos_embed: Param<Tensor<3>>,
    /// `[768, 3, 16, 16]`
    patch_weight: Param<Tensor<4>>,
    /// `[768]`
    patch_bias: Param<Tensor<1>>,
    transformer: Transformer,
    norm: LayerNorm,
}

/// What [`DinoVitB16::forward`] returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DinoActivations {
    /// Output of each of the 12 blocks before the final norm, `[batch, 197, 768]`: the class token, then 14 x 14
    /// patches row by row.
    pub blocks: Vec<Tensor<3>>,
    /// `[batch, 768]`: the class token of the last block after the final norm.
    pub embedding: Tensor<2>,
}

impl DinoVitB16 {
    /// Length of an embedding.
    pub const FEATURES: usize = WIDTH;
    /// Side of the images.
    pub const INPUT_SIZE: usize = 224;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let device = &plain(device);
        Self {
            cls_token: constant(Tensor::zeros([1, 1, WIDTH], device)),
            pos_embed: constant(Tensor::zeros([1, TOKENS, WIDTH], device)),
            patch_weight: constant(Tensor::zeros([WIDTH, 3, PATCH, PATCH], device)),
            patch_bias: constant(Tensor::zeros([WIDTH], device)),
            transformer: Transformer::init(WIDTH, DEPTH, device),
            norm: LayerNorm::init(WIDTH, device),
        }
    }

    /// Loads the names that timm and the original code share: `cls_token`, `pos_embed`, `patch_embed.proj.*`,
    /// `blocks.INDEX.*`, `norm.*`.
    ///
    /// The original's training checkpoints, which hold a student and a teacher with their heads (`teacher.backbone.*`,
    /// `student.module.backbone.*`), give the teacher, as the authors evaluate it.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the model, or there are several models
    /// and none is a teacher.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        let is_teacher = |prefix: &str| prefix.split('.').any(|part| part == "teacher");
        let backbone = below_anchor(checkpoint, "cls_token", is_teacher)?
            .rename(|name| (!name.starts_with(HEAD)).then(|| name.to_owned()));
        load_module(&Self::init(device), &backbone, key)
    }

    /// Blocks and embedding of `x` `[batch, 3, 224, 224]`, normalized with the mean and standard deviation of ImageNet;
    /// [`Preprocessing::DINO_VIT_B16`](crate::Preprocessing::DINO_VIT_B16) makes it.
    ///
    /// # Panics
    /// When `x` has another shape.
    pub fn forward(&self, x: Tensor<4>) -> DinoActivations {
        let side = Self::INPUT_SIZE;
        let batch = x.dims()[0];
        assert_eq!(
            x.dims(),
            [batch, 3, side, side],
            "the input of DINO ViT-B/16"
        );
        let weight: Tensor<2> = self.patch_weight.val().flatten(1, 3);
        let patches = matmul(patches(x, PATCH), weight.transpose().unsqueeze())
            + self.patch_bias.val().unsqueeze();
        let class = self.cls_token.val().repeat_dim(0, batch);
        let tokens = Tensor::cat(vec![class, patches], 1) + self.pos_embed.val();
        let blocks = self.transformer.forward(tokens, VARIANT);
        let last = blocks.last().expect("twelve blocks").clone();
        let class = last
            .slice([0..batch, 0..1, 0..WIDTH])
            .reshape([batch, WIDTH]);
        DinoActivations {
            blocks,
            embedding: self.norm.forward(class, VARIANT.epsilon),
        }
    }

    /// The final layer normalization of a block's output, `[batch, tokens, 768]`: what the original's
    /// `get_intermediate_layers` returns.
    pub fn normalize(&self, block: Tensor<3>) -> Tensor<3> {
        self.norm.forward(block, VARIANT.epsilon)
    }
}

fn key(path: &str) -> String {
    match path {
        "patch_weight" => "patch_embed.proj.weight".to_owned(),
        "patch_bias" => "patch_embed.proj.bias".to_owned(),
        _ => match path.strip_prefix("transformer.") {
            None => path.to_owned(),
            Some(block) => [
                (".qkv.", ".attn.qkv."),
                (".projection.", ".attn.proj."),
                (".expand.", ".mlp.fc1."),
                (".contract.", ".mlp.fc2."),
            ]
            .iter()
            .fold(block.to_owned(), |name, (ours, theirs)| {
                name.replace(ours, theirs)
            }),
        },
    }
}
