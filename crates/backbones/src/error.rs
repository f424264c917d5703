use std::path::PathBuf;

use checkpoint_file::CheckpointError;

/// Why a feature network could not be made or a text not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackbonesError {
    /// The network's weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A name that stands for no feature network.
    #[error(
        "{found:?} is not a feature network; expected efficientnet_lite0, clip_vit_b32, dino_vit_b16, inception_v3_fid, alexnet, vgg16, alexnet_layers or vgg16_layers"
    )]
    UnknownNetwork {
        /// The name.
        found: String,
    },
    /// The vocabulary file could not be opened or read.
    #[error("{path}: {source}; check that the vocabulary file exists and can be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The vocabulary file is not CLIP's.
    #[error(
        "{path}: not CLIP's vocabulary: {reason}; expected OpenAI's bpe_simple_vocab_16e6.txt, plain or with gzip"
    )]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// A text has more tokens than the network reads.
    #[error(
        "the text {text:?} has {found} tokens with its start and end, at most {limit} are accepted; shorten the text"
    )]
    TextTooLong {
        /// Its first words.
        text: String,
        /// Number of tokens.
        found: usize,
        /// The network's context.
        limit: usize,
    },
    /// Token ids that no text gives.
    #[error("token ids {reason}")]
    InvalidTokens {
        /// What was found and what was expected.
        reason: String,
    },
}
