//! Feature networks against the reference implementations, on every device that the enabled features allow.

#![allow(clippy::unwrap_used, reason = "a failed conversion fails the test")]

mod clip;
mod dino;
mod efficientnet_lite0;
mod extractor;
mod inception_v3;
mod preprocessing;
mod seeded;

use std::path::PathBuf;

use burn::tensor::Tensor;
use checkpoint_file::Checkpoint;
use testkit::Golden;

/// f32 against f64: thousands of products a value, each rounded to 6e-8, the errors mostly cancelling.
const ROUNDING: f64 = 1e-5;

/// The values of a tensor, row-major.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}

/// The mean over height and width, row-major.
fn spatial_means(x: Tensor<4>) -> Vec<f32> {
    values(x.mean_dim(3).mean_dim(2))
}

fn golden(file: &str) -> Golden {
    Golden::open(env!("CARGO_MANIFEST_DIR"), &format!("features/{file}"))
}

/// Weights that the repository ships.
fn shipped(network: &str) -> Checkpoint {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../weights/features");
    Checkpoint::open(folder.join(format!("{network}.safetensors"))).unwrap()
}
