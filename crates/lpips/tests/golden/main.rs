//! LPIPS against the authors' package, on seeded and on real networks, on every device that the enabled features allow.

#![allow(clippy::unwrap_used, reason = "a failed conversion fails the test")]

mod degenerate;
mod manifest;
mod real;
mod seeded;
mod weights;

use burn::tensor::Tensor;

/// The values of a tensor, row-major.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}
