use std::path::PathBuf;

use crate::{FloatPrecision, shown, shown_within};

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
    #[error(
        "{path}: not a readable {format} file: {}",
        shown_within(reason, SENTENCE)
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format that was recognized or tried.
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
        found: String,
    },
    /// A pickle names a class or function that is not needed to hold weights. Nothing of it was run.
    #[error(
        "{path}: the pickle calls {} at byte {position}, which is not known to hold weights and is never run; {}",
        shown(name),
        instead_of(name, function.as_deref())
    )]
    UnknownConstructor {
        /// The file.
        path: PathBuf,
        /// Module and name.
        name: String,
        /// For a network of the TensorFlow code, the function that builds it.
        function: Option<String>,
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
        "{path}: {} contains itself, expected a tree of tensors; the file is damaged or hostile",
        shown(place)
    )]
    Cyclic {
        /// The file.
        path: PathBuf,
        /// Name of the container.
        place: String,
    },
    /// A tensor's description contradicts the file's content.
    #[error(
        "{path}: tensor {} cannot be read: {}",
        shown(tensor),
        shown_within(reason, SENTENCE)
    )]
    InvalidTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file does not hold the network that was asked for.
    #[error(
        "{path}: no network {}; the file has {}",
        shown(name),
        describe_names(found)
    )]
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
        "{path}: tensor {} of shape {expected:?} is missing; the file was made for another network or configuration",
        shown(tensor)
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
    #[error(
        "{path}: no tensor {}; the file has {}",
        shown(tensor),
        describe_first(found)
    )]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor that was asked for.
        tensor: String,
        /// Names of all tensors in the file.
        found: Vec<String>,
    },
    /// A tensor has another number of dimensions than was asked for.
    #[error(
        "{path}: tensor {} has shape {found:?}, expected {expected} dimensions",
        shown(tensor)
    )]
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
        "{path}: {count} tensors are not part of the network, the first is {}; the file was made for another network or configuration",
        shown(first)
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
    #[error(
        "{path}: tensor {} has shape {found:?}, expected {expected:?}",
        shown(tensor)
    )]
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
        "{path}: tensor {} has element type {}, expected a floating-point type (F32, F16, BF16 or F64)",
        shown(tensor),
        shown(found)
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
        "{path}: tensor {} has the value {value} at index {index}, too large for {precision}; save with another precision",
        shown(tensor)
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
    /// The content of a file of our own is not what it was when it was written.
    #[error(
        "{path}: the content has the SHA-256 {found}, but the file was written with {}; it was changed or damaged since, so write or fetch it again \
         (if it was changed on purpose, remove the metadata entry `{}`)",
        shown(recorded),
        whole_file::CONTENT_SHA256
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What the file says, in hexadecimal.
        recorded: String,
        /// What its content has.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{path}: tensor {} has the value {value} at index {index}; weights must be finite, so training went wrong or the file is damaged",
        shown(tensor)
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

/// Room for a reason: a sentence or two, and a few names in them.
const SENTENCE: usize = 800;

/// What to do with a file of a class that is not known.
fn instead_of(name: &str, function: Option<&str>) -> String {
    if !name.starts_with("dnnlib.tflib.") {
        return "if you trust the file, load it in Python and save its state_dict()".to_owned();
    }
    match function {
        // training/networks_stylegan.py of the StyleGAN repository, and networks_progan.py beside it.
        Some("G_style" | "D_basic") => {
            "it is a StyleGAN1 network of the TensorFlow code, and only StyleGAN2 is supported; use a StyleGAN2 model".to_owned()
        }
        Some("G_paper" | "D_paper") => {
            "it is a Progressive GAN of the TensorFlow code, and only StyleGAN2 is supported; use a StyleGAN2 model".to_owned()
        }
        _ => "it is a network of the TensorFlow code, which has other weights; convert it with stylegan2-ada-pytorch: \
              python legacy.py --source=FILE --dest=NEW.pkl"
            .to_owned(),
    }
}

/// How many names of networks or tensors a message has.
const SHOWN_NETWORKS: usize = 20;
const SHOWN_TENSORS: usize = 5;

fn describe_names(names: &[String]) -> String {
    if names.is_empty() {
        return "no named networks, only tensors".to_owned();
    }
    first_of(names, SHOWN_NETWORKS)
}

fn describe_first(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    first_of(names, SHOWN_TENSORS)
}

fn first_of(names: &[String], count: usize) -> String {
    let first = &names[..names.len().min(count)];
    let shown: Vec<String> = first.iter().map(|name| shown(name).to_string()).collect();
    let shown = shown.join(", ");
    match names.len() - first.len() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
