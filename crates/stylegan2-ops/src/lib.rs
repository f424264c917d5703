//! Differentiable operations that StyleGAN2 needs, fast on every backend: upfirdn2d, bias_act, (modulated) convolution and products of matrices.

mod activation;
mod bias_act;
mod conv2d;
mod conv2d_resample;
mod dtype;
mod error;
mod filter;
mod inner_product;
mod matmul;
mod modulated_conv2d;
mod upfirdn2d;

pub use activation::Activation;
pub use bias_act::{BiasAct, bias_act};
pub use conv2d::{Conv2d, conv_transpose2d, conv2d};
pub use conv2d_resample::{Conv2dResample, conv2d_resample};
pub use error::FilterError;
pub use filter::{Filter, FilterOptions};
pub use inner_product::inner_products;
pub use matmul::matmul;
pub use modulated_conv2d::{ModulatedConv2d, modulated_conv2d};
pub use upfirdn2d::{UpFirDn2d, downsample2d, filter2d, upfirdn2d, upsample2d};
