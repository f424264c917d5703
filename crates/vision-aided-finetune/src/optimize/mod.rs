//! Updates of weights: Adam, and the running average that makes the images.

mod adam;
mod average;

pub use adam::{Adam, AdamOptions};
pub use average::ExponentialMovingAverage;

use burn::tensor::Tensor;

/// The values of a parameter as a vector, on the plain device: what moments and averages are kept as, whatever its
/// rank.
fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let x = if x.is_autodiff() { x.inner() } else { x };
    let count = x.shape().num_elements();
    x.reshape([count])
}

/// Path of the parameter that a visitor is at, such as `synthesis.blocks.0.conv1.weight`.
#[derive(Debug, Default)]
struct ParameterPath(Vec<String>);

impl ParameterPath {
    fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}
