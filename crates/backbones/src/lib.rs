//! Frozen feature networks under their published weight names.
//!
//! | network | features | file |
//! |---|---|---|
//! | [`EfficientNetLite0`] | 1280, and seven stages | `weights/features/efficientnet_lite0.safetensors` |
//! | [`ClipImage`], [`ClipText`] | 512, images and texts in one space | OpenAI's ViT-B/32 |
//! | [`DinoVitB16`] | 768 | DINO's ViT-B/16 |
//! | [`InceptionV3`] | 2048, for the Fréchet Inception distance | `pt_inception-2015-12-05` |
//! | [`AlexNet`], [`Vgg16`] | 256 and 512, and the activations that LPIPS compares | `weights/features/alexnet.safetensors`, `vgg16.safetensors` |
//! | [`LayerMeans`] of either | 1152 and 1472, the means of all of these | the same |
//! | [`SqueezeNet`] | the activations that LPIPS compares | torchvision |
//!
//! [`FeatureExtractor`] makes one vector of each image with any of them but the last, preprocessing included.
//!
//! The weights are constants: they lie on a device without autodiff whatever device was asked for, so that a backward
//! pass reaches the image and never spends time on gradients of the weights.
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use backbones::AlexNet;
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! let network = AlexNet::init(&device); // all weights zero; `AlexNet::load` takes them from a checkpoint
//! let [relu1, .., relu5] = network.forward(Tensor::zeros([1, 3, 64, 64], &device));
//! assert_eq!(relu1.dims(), [1, 64, 15, 15]);
//! assert_eq!(relu5.dims(), [1, 256, 3, 3]);
//! # }
//! ```
//!
//! # Feature flags
//!
//! | feature | what it compiles in |
//! |---|---|
//! | `cpu` (default) | Burn's Flex backend, `Device::flex()`, and the kernels of `cpu-kernels` |
//! | `wgpu` | Burn's wgpu backend: Vulkan, Metal, DirectX 12, and the kernels of `gpu-kernels` |
//! | `cuda` | Burn's CUDA backend, for NVIDIA GPUs, and the kernels of `gpu-kernels` |

mod alexnet;
mod batch_norm;
mod clip;
mod convolution;
mod depthwise;
mod dino;
mod efficientnet_lite0;
mod error;
mod feature_extractor;
mod gelu;
mod inception_v3;
mod input_check;
mod layer_means;
mod layout;
mod linear;
mod max_pool;
mod preprocessing;
mod published;
mod resize;
mod same_padding;
mod squeezenet;
mod torchvision;
mod transformer;
mod vgg16;

pub use alexnet::AlexNet;
pub use clip::{ClipImage, ClipImageActivations, ClipText, ClipTokenizer, ClipTokens};
pub use dino::{DinoActivations, DinoVitB16};
pub use efficientnet_lite0::{EfficientNetLite0, EfficientNetLite0Activations};
pub use error::BackbonesError;
pub use feature_extractor::{FeatureExtractor, FeatureNetwork, FeatureNetworkKind};
pub use inception_v3::{InceptionV3, InceptionV3Activations};
pub use layer_means::LayerMeans;
pub use preprocessing::{Preprocessing, Sizing};
pub use published::PublishedWeights;
pub use resize::{ResizeMethod, resize};
pub use squeezenet::SqueezeNet;
pub use vgg16::Vgg16;
