use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};
use stylegan2_ops::matmul;

use super::tokenizer::ClipTokens;
use super::{DEPTH, EMBEDDING, block_key, state_dict, variant};
use crate::transformer::{LayerNorm, Transformer, constant, plain};

const WIDTH: usize = 512;

/// What OpenAI's state dict holds beside the two towers: the temperature of the training loss, and three integers in
/// its TorchScript form.
const BESIDE: [&str; 4] = [
    "logit_scale",
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// The text tower of CLIP ViT-B/32: a causal transformer whose output at the end token is the text's embedding.
#[derive(Module, Debug)]
pub struct ClipText {
    /// `[49408, 512]`
    token_embedding: Param<Tensor<2>>,
    /// `[77, 512]`
    positional_embedding: Param<Tensor<2>>,
    transformer: Transformer,
    ln_final: LayerNorm,
    /// `[512, 512]`
    text_projection: Param<Tensor<2>>,
}

impl ClipText {
    /// Length of an embedding.
    pub const FEATURES: usize = EMBEDDING;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let device = &plain(device);
        Self {
            token_embedding: constant(Tensor::zeros([ClipTokens::VOCABULARY, WIDTH], device)),
            positional_embedding: constant(Tensor::zeros([ClipTokens::LENGTH, WIDTH], device)),
            transformer: Transformer::init(WIDTH, DEPTH, device),
            ln_final: LayerNorm::init(WIDTH, device),
            text_projection: constant(Tensor::zeros([WIDTH, EMBEDDING], device)),
        }
    }

    /// Loads the part of OpenAI's weights that is not below `visual.`; see [`ClipImage::load`](super::ClipImage::load)
    /// for its files.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of either tower.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        let text = state_dict(checkpoint, "token_embedding.weight")?.rename(|name| {
            let is_text = !name.starts_with("visual.") && !BESIDE.contains(&name);
            is_text.then(|| name.to_owned())
        });
        load_module(&Self::init(device), &text, key)
    }

    /// Embeddings `[texts, 512]`, not normalized.
    ///
    /// # Panics
    /// When there is no text.
    pub fn forward(&self, texts: &[ClipTokens]) -> Tensor<2> {
        assert!(
            !texts.is_empty(),
            "an embedding needs at least one text, found none"
        );
        let (count, length) = (texts.len(), ClipTokens::LENGTH);
        let weight = self.token_embedding.val();
        let device = weight.device();
        let ids: Vec<i32> = texts
            .iter()
            .flat_map(|tokens| tokens.ids().iter().copied().map(i32::from))
            .collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count * length]), &device);
        let tokens: Tensor<3> = weight.select(0, ids).reshape([count, length, WIDTH]);
        let tokens = tokens + self.positional_embedding.val().unsqueeze();
        let last = self
            .transformer
            .forward(tokens, variant(true))
            .pop()
            .expect("twelve blocks");
        let ends: Vec<i32> = texts
            .iter()
            .enumerate()
            .map(|(index, tokens)| (index * length + tokens.end()) as i32)
            .collect();
        let ends = Tensor::<1, Int>::from_data(TensorData::new(ends, [count]), &device);
        let last = last.reshape([count * length, WIDTH]).select(0, ends);
        let last = self.ln_final.forward(last, super::NORMALIZATION_EPSILON);
        matmul(last, self.text_projection.val())
    }
}

fn key(path: &str) -> String {
    match path {
        "token_embedding" => "token_embedding.weight".to_owned(),
        _ => block_key(path),
    }
}
