//! CLIP ViT-B/32 (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021).

mod image;
mod text;
mod tokenizer;

use checkpoint_file::{Checkpoint, CheckpointError};

use crate::gelu::Gelu;
use crate::transformer::Variant;

pub use image::{ClipImage, ClipImageActivations};
pub use text::ClipText;
pub use tokenizer::{ClipTokenizer, ClipTokens};

/// Length of the embeddings that images and texts share.
const EMBEDDING: usize = 512;
const DEPTH: usize = 12;
/// PyTorch's default.
const NORMALIZATION_EPSILON: f64 = 1e-5;

/// The name of a block's parameter in OpenAI's files: `transformer.blocks.0.norm1.weight` is
/// `transformer.resblocks.0.ln_1.weight`.
fn block_key(path: &str) -> String {
    [
        ("blocks.", "resblocks."),
        (".norm1.", ".ln_1."),
        (".norm2.", ".ln_2."),
        (".qkv.", ".attn.in_proj_"),
        (".projection.", ".attn.out_proj."),
        (".expand.", ".mlp.c_fc."),
        (".contract.", ".mlp.c_proj."),
    ]
    .iter()
    .fold(path.to_owned(), |name, (ours, theirs)| {
        name.replace(ours, theirs)
    })
}

fn variant(is_causal: bool) -> Variant {
    Variant {
        activation: Gelu::Quick,
        epsilon: NORMALIZATION_EPSILON,
        is_causal,
    }
}

/// The tensors below the prefix at which the file keeps `anchor`: state dicts stand alone, or in a container such as
/// `state_dict`.
///
/// # Errors
/// When no tensor of this name is there, or several are.
fn state_dict(checkpoint: &Checkpoint, anchor: &str) -> Result<Checkpoint, CheckpointError> {
    crate::layout::below_anchor(checkpoint, anchor, |_| false)
}
