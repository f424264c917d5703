//! The operations of this crate against closed forms, invariants, slow references and the official implementation.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to stop where it is"
)]

mod bias_act;
mod filter;
mod reference;
mod upfirdn2d;

use burn::tensor::{Device, Tensor, TensorData};

/// A seeded tensor of mean 0 and variance 1.
fn seeded<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = testkit::seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}
