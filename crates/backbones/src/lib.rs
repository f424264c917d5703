//! Frozen feature networks under their published weight names: AlexNet, VGG16 and SqueezeNet-1.1.
//!
//! Each network is the convolutional part (`features`) of the torchvision model of the same name and returns the activations that
//! LPIPS compares (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018).
//!
//! The weights are constants: they lie on a device without autodiff whatever device was asked for, so that a backward pass reaches
//! the image and never spends time on gradients of the weights.
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

mod alexnet;
mod convolution;
mod input_check;
mod max_pool;
mod squeezenet;
mod torchvision;
mod vgg16;

pub use alexnet::AlexNet;
pub use squeezenet::SqueezeNet;
pub use vgg16::Vgg16;
