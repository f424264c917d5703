use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use stylegan2_ops::{Conv2d, conv2d};

/// A convolution with bias whose weights are constants.
#[derive(Module, Debug)]
pub(crate) struct Convolution {
    /// `[out, in / groups, kernel height, kernel width]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
}

impl Convolution {
    /// A convolution of a square kernel with zero weights, to be loaded.
    pub fn init(input: usize, output: usize, kernel: usize, device: &Device) -> Self {
        Self::init_shape([output, input, kernel, kernel], device)
    }

    /// A convolution of the weight's shape `[out, in / groups, kernel height, kernel width]` with zero weights, to be
    /// loaded.
    pub fn init_shape(shape: [usize; 4], device: &Device) -> Self {
        // A weight on an autodiff device would be a leaf of the graph, and its gradient costs as much as the input's.
        let device = device.clone().without_autodiff();
        Self {
            weight: Param::from_tensor(Tensor::zeros(shape, &device)).set_require_grad(false),
            bias: Param::from_tensor(Tensor::zeros([shape[0]], &device)).set_require_grad(false),
        }
    }

    /// `[batch, in, height, width]` to `[batch, out, ..]` with equal strides and paddings in both directions.
    pub fn forward(&self, x: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
        self.forward_with(
            x,
            Conv2d {
                stride: [stride; 2],
                padding: [padding; 2],
                ..Conv2d::default()
            },
        )
    }

    /// `[batch, in, height, width]` to `[batch, out, ..]`.
    pub fn forward_with(&self, x: Tensor<4>, options: Conv2d) -> Tensor<4> {
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }

    /// A convolution of given weight and bias.
    #[cfg(test)]
    pub fn from_tensors(weight: Tensor<4>, bias: Tensor<1>) -> Self {
        Self {
            weight: Param::from_tensor(weight).set_require_grad(false),
            bias: Param::from_tensor(bias).set_require_grad(false),
        }
    }

    /// Weight and bias.
    #[cfg(feature = "cpu")]
    pub fn tensors(&self) -> (Tensor<4>, Tensor<1>) {
        (self.weight.val(), self.bias.val())
    }

    /// Kernel height and width.
    pub fn kernel(&self) -> [usize; 2] {
        let [_, _, height, width] = self.weight.val().dims();
        [height, width]
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;

    #[test]
    fn weights_stay_constants_on_an_autodiff_device() {
        let device = Device::flex().autodiff();
        let convolution = Convolution::init(3, 2, 3, &device);
        assert!(!convolution.weight.val().is_autodiff());
        assert!(!convolution.bias.val().is_autodiff());

        let x = Tensor::<4>::ones([1, 3, 5, 5], &device).require_grad();
        let y = convolution.forward(x.clone(), 1, 1);
        let gradients = y.sum().backward();
        assert_eq!(x.grad(&gradients).map(|g| g.dims()), Some([1, 3, 5, 5]));
        assert!(convolution.weight.val().grad(&gradients).is_none());
        assert!(convolution.bias.val().grad(&gradients).is_none());
    }
}
