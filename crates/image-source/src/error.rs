use std::path::PathBuf;

use checkpoint_file::CheckpointError;
use image_tensor::ImageTensorError;

use crate::LeftOut;

/// Why images could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageSourceError {
    /// An image cannot be decoded.
    #[error(transparent)]
    Image(#[from] ImageTensorError),
    /// A packed file cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The file system refused.
    #[error("{path}: {source}; check that it exists and can be read", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// An archive that cannot be read.
    #[error(
        "{path}: not a readable archive: {reason}; expected a .zip or an uncompressed .tar of images",
        path = path.display()
    )]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A file of tensors that holds no packed images.
    #[error("{path}: not a file of packed images: {reason}", path = path.display())]
    NotPacked {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// A set without an image.
    #[error(
        "{set}: no image there{}; expected {}",
        behind(left_out),
        crate::names::EXPECTED
    )]
    Empty {
        /// What the set was read from.
        set: String,
        /// What is there instead.
        left_out: LeftOut,
    },
    /// A set with fewer images than its use needs.
    #[error(
        "{set}: {found} image{} there{}; {use_of_it} needs at least {required}: add images",
        if *found == 1 { "" } else { "s" }, behind(left_out)
    )]
    TooFew {
        /// What the set was read from.
        set: String,
        /// What the images are for.
        use_of_it: &'static str,
        /// How many images there are.
        found: usize,
        /// How many are needed.
        required: usize,
        /// What is there beside them.
        left_out: LeftOut,
    },
}

/// What was left out, in brackets behind a number of images.
fn behind(left_out: &LeftOut) -> String {
    if left_out.is_empty() {
        String::new()
    } else {
        format!(" (left out: {left_out})")
    }
}
