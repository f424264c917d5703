//! Read .safetensors, .pt, .pth, .pkl, .npy and .npz files into named tensors without running code from them, load
//! modules strictly, and write safetensors.
//!
//! [`Checkpoint::open`] recognizes the [`Format`] by content. Pickles go through a small stack machine that knows a
//! closed list of constructors, those that hold weights. Of any other class or function it keeps the name and calls
//! nothing: what stands beside it can be read, [`Checkpoint::not_understood`] lists it, and a file that holds nothing
//! else is an error that names it. Files are untrusted: no length is believed before it is compared with the bytes that
//! are there, and memory stays proportional to the file: real files take little beside themselves, and the worst that a
//! hostile pickle can ask for is about a hundred bytes for each of its own.
//!
//! A file with several networks, such as `G`, `D` and `G_ema` of stylegan2-ada-pytorch, lists them with their
//! configurations:
//!
//! ```
//! use checkpoint_file::Checkpoint;
//!
//! // Python's pickle.dumps({"g_ema": {"scale": numpy.array([2.0], "f4")}, "args": {"size": 64}}), shortened.
//! let pickle = b"\x80\x04}(X\x05\0\0\0g_ema}X\x05\0\0\0scale\
//!     cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\x01btR(K\x01(K\x01t\
//!     cnumpy\ndtype\n(X\x02\0\0\0f4tR\x89C\x04\0\0\0\x40tbs\
//!     X\x04\0\0\0args}X\x04\0\0\0sizeK\x40su.";
//! let checkpoint = Checkpoint::from_bytes("example.pkl", pickle)?;
//! assert_eq!(checkpoint.networks()[0].name(), "g_ema");
//! assert_eq!(checkpoint.tensors()["g_ema.scale"].to_f32(), [2.0]);
//! assert_eq!(checkpoint.metadata()["args"], r#"{"size":64}"#);
//!
//! let generator = checkpoint.network("g_ema")?;
//! assert_eq!(generator.tensors()["scale"].shape(), [1]);
//!
//! let error = Checkpoint::from_bytes("bad.pkl", b"\x80\x04cos\nsystem\n.").unwrap_err();
//! assert!(error.to_string().contains("os.system"));
//! # Ok::<(), checkpoint_file::CheckpointError>(())
//! ```
//!
//! Names in files are not to be trusted either: [`shown`] makes them fit for messages and terminals, [`file_name`] for
//! paths. [`save_safetensors`] writes a SHA-256 of the content that opening the file checks, so that a changed digit is
//! not taken for another result.
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12 |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs |

mod cursor;
mod error;
mod fault;
mod file_name;
mod flatten;
mod format;
mod limits;
mod module;
mod network;
mod numpy_file;
mod open;
mod pickle;
mod safetensors_file;
mod save;
mod shown;
mod stored_tensor;
mod torch;
mod zip;

pub use error::CheckpointError;
pub use file_name::{file_name, is_file_name};
pub use format::Format;
pub use module::{load_module, module_tensors};
pub use network::Network;
pub use open::Checkpoint;
pub use safetensors_file::safetensors_metadata;
pub use save::{FloatPrecision, save_safetensors};
pub use shown::{Shown, shown, shown_within};
pub use stored_tensor::{StoredDType, StoredTensor};
