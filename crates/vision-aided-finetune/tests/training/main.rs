//! Augmentation against the authors' numbers, the data loader on files, and the trainer's promises: exact resume,
//! readable checkpoints.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod diffaugment;
mod further_options;
mod image_set;
mod killed;
#[cfg(target_os = "linux")]
mod memory;
mod optimizers;
mod progressive;
mod reference_run;
mod resume;
mod small_run;
mod trainer;
mod vision_aided;

use burn::tensor::{Device, Tensor, TensorData};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn seeded<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    Tensor::from_data(
        TensorData::new(testkit::seeded(name, count, 1.0), shape),
        device,
    )
}
