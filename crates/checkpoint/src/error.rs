use std::path::PathBuf;

/// Why a checkpoint could not be read, loaded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file system refused.
    #[error("{path}: {source}; check that the file exists and can be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The bytes are not a well-formed file of the format that they start like.
    #[error("{path}: not a readable {format} file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that was recognised or tried.
        format: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// The module has a tensor that the file lacks.
    #[error(
        "{path}: tensor {tensor} of shape {expected:?} is missing; the file was made for another network or configuration"
    )]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The missing tensor.
        tensor: String,
        /// The shape that the module needs.
        expected: Vec<usize>,
    },
    /// The file has tensors that the module does not.
    #[error(
        "{path}: {count} tensors are not part of the network, the first is {first}; the file was made for another network or configuration"
    )]
    ExtraTensors {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// The first by name.
        first: String,
    },
    /// A tensor has another shape than the module's.
    #[error("{path}: tensor {tensor} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file's shape.
        found: Vec<usize>,
        /// The module's shape.
        expected: Vec<usize>,
    },
    /// A tensor of numbers that cannot be weights.
    #[error(
        "{path}: tensor {tensor} has element type {found}, expected a floating-point type (F32, F16, BF16 or F64)"
    )]
    WrongDType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file's element type.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{path}: tensor {tensor} has the value {value} at index {index}; weights must be finite, so training went wrong or the file is damaged"
    )]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f32,
    },
}
