use std::path::PathBuf;

use crate::FloatPrecision;

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
    /// The file is of another kind altogether.
    #[error(
        "{path}: not a checkpoint but {found}; expected .safetensors, or .pt, .pth or .pkl as PyTorch writes them"
    )]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        found: &'static str,
    },
    /// A pickle names a class or function that is not needed to hold weights. Nothing of it was run.
    #[error(
        "{path}: the pickle calls {name} at byte {position}, which is not known to hold weights and is never run; {}",
        instead_of(name)
    )]
    UnknownConstructor {
        /// The file.
        path: PathBuf,
        /// Module and name.
        name: String,
        /// Where in the file.
        position: usize,
    },
    /// Something is larger than any real checkpoint needs.
    #[error("{path}: {found} {what}, at most {limit} are accepted; the file is damaged or hostile")]
    Limit {
        /// The file.
        path: PathBuf,
        /// What is counted.
        what: &'static str,
        /// How many there are, or how many were seen when counting stopped.
        found: u64,
        /// How many are accepted.
        limit: u64,
    },
    /// A container holds itself.
    #[error(
        "{path}: {place} contains itself, expected a tree of tensors; the file is damaged or hostile"
    )]
    Cyclic {
        /// The file.
        path: PathBuf,
        /// Name of the container.
        place: String,
    },
    /// A tensor's description contradicts the file's content.
    #[error("{path}: tensor {tensor} cannot be read: {reason}")]
    InvalidTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file does not hold the network that was asked for.
    #[error("{path}: no network {name}; the file has {}", describe_names(found))]
    UnknownNetwork {
        /// The file.
        path: PathBuf,
        /// The network that was asked for.
        name: String,
        /// Names of the networks in the file.
        found: Vec<String>,
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
    /// The file lacks a tensor that was asked for by name.
    #[error("{path}: no tensor {tensor}; the file has {}", describe_first(found))]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor that was asked for.
        tensor: String,
        /// Names of all tensors in the file.
        found: Vec<String>,
    },
    /// A tensor has another number of dimensions than was asked for.
    #[error("{path}: tensor {tensor} has shape {found:?}, expected {expected} dimensions")]
    WrongRank {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The file's shape.
        found: Vec<usize>,
        /// How many dimensions it should have.
        expected: usize,
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
    /// A value is too large for the precision in which it was to be saved.
    #[error(
        "{path}: tensor {tensor} has the value {value} at index {index}, too large for {precision}; save with another precision"
    )]
    DoesNotFit {
        /// The file that was to be written.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Row-major index of the first such element.
        index: usize,
        /// The element.
        value: f64,
        /// The precision that was asked for.
        precision: FloatPrecision,
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

/// What to do with a file of a class that is not known.
fn instead_of(name: &str) -> &'static str {
    if name.starts_with("dnnlib.tflib.") {
        "it is a network of the TensorFlow code, which has other weights; convert it with stylegan2-ada-pytorch: python legacy.py --source=FILE --dest=NEW.pkl"
    } else {
        "if you trust the file, load it in Python and save its state_dict()"
    }
}

fn describe_names(names: &[String]) -> String {
    if names.is_empty() {
        "no named networks, only tensors".to_owned()
    } else {
        names.join(", ")
    }
}

fn describe_first(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 if names.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
