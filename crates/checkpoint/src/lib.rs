//! Read .safetensors, .pt, .pth and .pkl files into named tensors without running code from them, load modules strictly, and write safetensors.

mod cursor;
mod error;
mod fault;
mod flatten;
mod format;
mod limits;
mod module;
mod network;
mod open;
mod pickle;
mod safetensors_file;
mod save;
mod stored_tensor;
mod torch;

pub use error::CheckpointError;
pub use format::Format;
pub use module::{load_module, module_tensors};
pub use network::Network;
pub use open::Checkpoint;
pub use save::{FloatPrecision, save_safetensors};
pub use stored_tensor::{StoredDType, StoredTensor};
