use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use stylegan2_ops::matmul;

/// A frozen affine map of the last dimension, in PyTorch's layout.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// `[out, in]`
    weight: Param<Tensor<2>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// A map with zero weights, to be loaded.
    pub fn init(input: usize, output: usize, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        Self {
            weight: Param::from_tensor(Tensor::zeros([output, input], &device))
                .set_require_grad(false),
            bias: Param::from_tensor(Tensor::zeros([output], &device)).set_require_grad(false),
        }
    }

    /// `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        matmul(x, self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }
}
