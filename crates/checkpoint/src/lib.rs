//! Read .safetensors, .pt, .pth and .pkl files into named tensors without running code from them, load modules strictly, and write safetensors.

mod error;
mod module;
mod open;
mod save;
mod stored_tensor;

pub use error::CheckpointError;
pub use module::{load_module, module_tensors};
pub use open::Checkpoint;
pub use save::{FloatPrecision, save_safetensors};
pub use stored_tensor::{StoredDType, StoredTensor};
