use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use kernels::{Conv2d, conv2d};

/// A convolution with bias whose weights are constants.
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    /// `[out, in, kernel, kernel]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Convolution {
    /// A convolution with zero weights, to be loaded.
    pub fn init(input: usize, output: usize, kernel: usize, device: &Device) -> Self {
        // A weight on an autodiff device would be a leaf of the graph, and its gradient costs as much as the input's.
        let device = device.clone().without_autodiff();
        Self {
            weight: Param::from_tensor(Tensor::zeros([output, input, kernel, kernel], &device))
                .set_require_grad(false),
            bias: Param::from_tensor(Tensor::zeros([output], &device)).set_require_grad(false),
        }
    }

    /// `[batch, in, height, width]` to `[batch, out, ..]`.
    pub fn forward(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        conv2d(
            x,
            self.weight.val(),
            Some(self.bias.val()),
            Conv2d {
                stride: [stride; 2],
                padding: [padding; 2],
                ..Conv2d::default()
            },
        )
    }
}
