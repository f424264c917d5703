use std::path::PathBuf;

use checkpoint_file::CheckpointError;
use feature_stats::StatsError;
use image_source::ImageSourceError;

/// Why a distance between sets of images could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// Features or statistics cannot be worked with.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// A set of images or one of them cannot be read.
    #[error(transparent)]
    Images(#[from] ImageSourceError),
    /// Weights of the feature network cannot be loaded.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The file system refused.
    #[error("{path}: {source}; check that it exists and can be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A name that stands for no protocol.
    #[error("{found:?} is not a protocol; expected pytorch-fid, clean-fid or torch-fidelity")]
    UnknownProtocol {
        /// The name.
        found: String,
    },
    /// Two sets of features of different networks.
    #[error(
        "the features of one set have dimension {found}, those of the other {expected}; use the same feature network for both"
    )]
    WrongDimension {
        /// Dimension of the second set.
        found: usize,
        /// Dimension of the first set.
        expected: usize,
    },
    /// The singular value decomposition did not end.
    #[error(
        "the singular values of a matrix of dimension {dimension} did not converge; its entries may span too many orders of magnitude"
    )]
    NoConvergence {
        /// The matrix's dimension.
        dimension: usize,
    },
    /// A number that is NaN or infinite.
    #[error(
        "{what} number {index} is {value}; expected finite numbers, so the network that made it overflowed or the file is damaged"
    )]
    NonFinite {
        /// What was given.
        what: &'static str,
        /// Its place.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A generated image with a value that is NaN or infinite.
    #[error(
        "generated image {image} is not finite; the generator's weights, or its latents, are too large for 32-bit floats"
    )]
    NonFiniteImage {
        /// The image, counted from 0.
        image: u64,
    },
    /// Fewer images than a measure needs.
    #[error("{what} needs at least {required} images in each set, found {found}; add images")]
    TooFewImages {
        /// The measure.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        required: usize,
    },
    /// A setting out of its range.
    #[error("{what} is {found}, expected {expected}")]
    InvalidSetting {
        /// The setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What values it may have.
        expected: String,
    },
    /// An image of another size than the images before it, where one size was asked for.
    #[error(
        "{name}: the image has {} x {} pixels, the images before it have {} x {}; leave it out, or accept images of any size",
        found[0], found[1], expected[0], expected[1]
    )]
    OddSize {
        /// The image.
        name: String,
        /// Width and height.
        found: [u32; 2],
        /// Width and height of the first image.
        expected: [u32; 2],
    },
    /// A statistics file of another kind or a damaged one.
    #[error("{path}: not the statistics of pytorch-fid or clean-fid: {reason}")]
    Statistics {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("stopped after {images} images")]
    Cancelled {
        /// How many images had been read.
        images: u64,
    },
}
