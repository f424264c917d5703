use std::path::PathBuf;

use checkpoint_file::CheckpointError;
use image_source::ImageSourceError;
use stylegan2::StyleGan2Error;

/// Why training cannot start, go on or be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The file system refused.
    #[error("{path}: {source}; check that it exists and can be read or written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A set of images or one of them is unusable.
    #[error(transparent)]
    Images(#[from] ImageSourceError),
    /// A checkpoint is unusable or cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A network is unusable.
    #[error(transparent)]
    Network(#[from] StyleGan2Error),
    /// Images and networks, or two image sets, differ in size.
    #[error(
        "{what} have {found} pixels a side, expected {expected}; render or resize them to that size"
    )]
    WrongSize {
        /// Which images.
        what: String,
        /// Their side.
        found: usize,
        /// The side that the networks or the other images have.
        expected: usize,
    },
    /// An option is out of range, or two do not go together.
    #[error("option {option} is {found}, expected {expected}")]
    InvalidOption {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// The file is no checkpoint of a training run, or one of another run.
    #[error("{path}: cannot resume: {reason}")]
    CannotResume {
        /// The checkpoint.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// An option cannot change in the middle of a run.
    #[error(
        "option {option} cannot change during a run: it is {found}, and the run has {expected}; start a new run from the checkpoint to change it"
    )]
    FixedOption {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// The run's value.
        expected: String,
    },
    /// A loss or penalty has been NaN or infinite for many of its iterations on end.
    #[error(
        "training diverged: {what} was not finite {times} times on end, last in iteration {iteration} ({value}); resume the last checkpoint with a lower learning rate or a larger r1_gamma"
    )]
    Diverged {
        /// The measurement.
        what: &'static str,
        /// How often on end it was taken and not finite.
        times: u64,
        /// The last such iteration, counted from 0.
        iteration: u64,
        /// Its last value.
        value: f32,
    },
    /// Weights became NaN or infinite, so that a checkpoint of them would be worthless.
    #[error(
        "{path}: not written, as {tensor} has become {value}; the checkpoint before is left as it was"
    )]
    NonFiniteWeights {
        /// The checkpoint that was to be written.
        path: PathBuf,
        /// The first such tensor.
        tensor: String,
        /// Its first such value.
        value: f32,
    },
    /// A linear probe cannot be fitted.
    #[error(
        "the linear probe failed: {reason}; expected finite features, so check the frozen network's weights and the generator's images"
    )]
    LinearProbe {
        /// The regression's reason.
        reason: String,
    },
    /// A line of a history file cannot be read.
    #[error("{path}, line {line}: {reason}; remove the line or start a new history")]
    History {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's reason.
        reason: String,
    },
}
