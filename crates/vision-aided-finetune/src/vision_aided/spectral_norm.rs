//! Layers whose weights are divided by their spectral norm (Miyato et al. 2018, "Spectral Normalization for Generative
//! Adversarial Networks").

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::RandomState;
use stylegan2_ops::{Conv2d, conv2d, matmul};

/// Added to lengths before a division, as PyTorch's `spectral_norm` does.
const EPSILON: f32 = 1e-12;

/// Rounds of power iteration that a new layer starts with, so that its norm is close from the first step on.
///
/// Differs from the authors' package, whose layers (`torch.nn.utils.spectral_norm`) start with none; PyTorch's newer
/// parametrization starts with 15, too.
const FIRST_ITERATIONS: usize = 15;

/// A convolution `y = W * x / sigma(W) + b` with the weight taken as a matrix `[out, in kernel^2]`.
///
/// `sigma` is estimated as `|W^T u|` with the left singular vector u of the power iteration, which is a buffer: it
/// moves by [`iterate`](SpectralConv2d::iterate) and takes no gradient, as in PyTorch.
#[derive(Module, Debug)]
pub(super) struct SpectralConv2d {
    /// `[out, in, kernel, kernel]`
    weight: Param<Tensor<4>>,
    /// `[out]`
    bias: Param<Tensor<1>>,
    /// `[out]`, of length 1.
    u: Param<Tensor<1>>,
    #[module(skip)]
    options: Conv2d,
}

/// A fully connected layer `y = W x / sigma(W) + b`, with `sigma` as for [`SpectralConv2d`].
#[derive(Module, Debug)]
pub(super) struct SpectralLinear {
    /// `[outputs, inputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Param<Tensor<1>>,
    /// `[outputs]`, of length 1.
    u: Param<Tensor<1>>,
}

impl SpectralConv2d {
    pub(super) fn init(
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        options: Conv2d,
        random: &mut RandomState,
        device: &Device,
    ) -> Self {
        let fan_in = inputs * kernel * kernel;
        let shape = [outputs, inputs, kernel, kernel];
        let weight = uniform(shape, fan_in, random, device);
        let u = first_vector(weight.val().reshape([outputs, fan_in]), random, device);
        Self {
            bias: uniform([outputs], fan_in, random, device),
            weight,
            u,
            options,
        }
    }

    /// `[batch, in, height, width]` to `[batch, out, height', width']`.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let sigma = spectral_norm(self.matrix(), self.u.val());
        let normalized = weight / sigma.reshape([1, 1, 1, 1]);
        conv2d(x, normalized, Some(self.bias.val()), self.options)
    }

    /// The layer after one round of power iteration.
    pub(super) fn iterate(mut self) -> Self {
        let matrix = self.matrix().detach();
        self.u = self.u.map(|u| power_iteration(matrix, u.detach()));
        self
    }

    fn matrix(&self) -> Tensor<2> {
        let weight = self.weight.val();
        let [outputs, inputs, height, width] = weight.dims();
        weight.reshape([outputs, inputs * height * width])
    }
}

impl SpectralLinear {
    pub(super) fn init(
        inputs: usize,
        outputs: usize,
        random: &mut RandomState,
        device: &Device,
    ) -> Self {
        let weight = uniform([outputs, inputs], inputs, random, device);
        let u = first_vector(weight.val(), random, device);
        Self {
            bias: uniform([outputs], inputs, random, device),
            weight,
            u,
        }
    }

    /// `[batch, inputs]` to `[batch, outputs]`.
    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let weight = self.weight.val();
        let sigma = spectral_norm(weight.clone(), self.u.val());
        // Dividing the result costs less than dividing the weight.
        matmul(x, weight.transpose()) / sigma.reshape([1, 1]) + self.bias.val().unsqueeze()
    }

    /// As [`SpectralConv2d::iterate`].
    pub(super) fn iterate(mut self) -> Self {
        let matrix = self.weight.val().detach();
        self.u = self.u.map(|u| power_iteration(matrix, u.detach()));
        self
    }
}

/// `|W^T u|`, `[1]`: the greatest singular value of W `[rows, columns]` where u `[rows]` is its left singular vector,
/// and never more. Differentiable in W.
fn spectral_norm(weight: Tensor<2>, u: Tensor<1>) -> Tensor<1> {
    let v: Tensor<2> = matmul(u.unsqueeze(), weight);
    length(v.flatten(0, 1))
}

/// The direction of `W W^T u`.
fn power_iteration(weight: Tensor<2>, u: Tensor<1>) -> Tensor<1> {
    let rows = u.dims()[0];
    let v: Tensor<2> = matmul(u.unsqueeze(), weight.clone());
    let next = matmul(v, weight.transpose()).reshape([rows]);
    next.clone() / length(next)
}

fn length(x: Tensor<1>) -> Tensor<1> {
    (x.clone() * x).sum().sqrt() + EPSILON
}

/// PyTorch's initial values of convolutions and fully connected layers: uniform up to `1 / sqrt(fan_in)`.
fn uniform<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    random: &mut RandomState,
    device: &Device,
) -> Param<Tensor<D>> {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| ((2.0 * random.uniform() - 1.0) * bound) as f32)
        .collect();
    Param::from_data(TensorData::new(values, shape), device)
}

fn first_vector(matrix: Tensor<2>, random: &mut RandomState, device: &Device) -> Param<Tensor<1>> {
    let rows = matrix.dims()[0];
    let u = random.standard_normals(rows);
    let u = Tensor::<1>::from_data(TensorData::new(u, [rows]), device);
    let u = (0..FIRST_ITERATIONS).fold(u, |u, _| power_iteration(matrix.clone(), u));
    // As data, which has no history on an autodiff device.
    Param::from_data(u.into_data(), device).set_require_grad(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::assert_close;

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    fn matrix(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    /// `[[3, 0], [4, 5]]` has the singular values 3 sqrt 5 and sqrt 5.
    #[test]
    fn power_iteration_finds_the_greatest_singular_value() {
        for (_, device) in testkit::devices() {
            let weight = matrix(&[3.0, 0.0, 4.0, 5.0], [2, 2], &device);
            let mut u = Tensor::<1>::from_data(TensorData::from([1.0, 0.0]), &device);
            let mut before = 0.0;
            for _ in 0..12 {
                let now: f32 = spectral_norm(weight.clone(), u.clone()).into_scalar();
                // Every round can only come closer, from below.
                assert!(now >= before - 1e-5, "{now} after {before}");
                before = now;
                u = power_iteration(weight.clone(), u);
            }
            // The error falls by 81 a round; what is left is rounding.
            assert_close("sigma", &[before], &[3.0 * 5.0f32.sqrt()], 1e-6);
            // The left singular vector is (1, 3) / sqrt 10.
            let expected = [1.0, 3.0].map(|v: f32| v / 10.0f32.sqrt());
            assert_close("u", &values(u), &expected, 1e-6);
        }
    }

    /// d sigma / dW is `u v^T` at the singular vectors.
    #[test]
    fn the_norms_gradient_is_the_outer_product_of_the_singular_vectors() {
        for (_, device) in testkit::devices() {
            let device = device.autodiff();
            let weight = matrix(&[3.0, 0.0, 4.0, 5.0], [2, 2], &device).require_grad();
            let u = [1.0, 3.0].map(|v: f32| v / 10.0f32.sqrt());
            let u = Tensor::<1>::from_data(TensorData::from(u), &device);
            let gradients = spectral_norm(weight.clone(), u).backward();
            let gradient = weight.grad(&gradients).expect("a function of the weight");
            // v = (1, 1) / sqrt 2.
            let [small, large] = [1.0, 3.0].map(|v: f32| v / 20.0f32.sqrt());
            assert_close(
                "gradient",
                &values(gradient),
                &[small, small, large, large],
                1e-6,
            );
        }
    }

    /// A layer changes no difference of inputs to a longer one, and does not depend on the scale of its weight.
    #[test]
    fn layers_are_of_norm_one_whatever_the_scale_of_their_weights() {
        for (_, device) in testkit::devices() {
            let mut random = RandomState::new(3);
            let mut layer = SpectralLinear::init(5, 4, &mut random, &device);
            for _ in 0..60 {
                layer = layer.iterate();
            }
            let x = testkit::seeded("inputs", 10, 1.0);
            let x = matrix(&x, [2, 5], &device);
            let y = values(layer.forward(x.clone()));
            let difference = |rows: &[f32]| {
                let (a, b) = rows.split_at(rows.len() / 2);
                a.iter()
                    .zip(b)
                    .map(|(a, b)| (a - b).powi(2))
                    .sum::<f32>()
                    .sqrt()
            };
            assert!(difference(&y) <= difference(&values(x.clone())) * (1.0 + 1e-5));
            let mut scaled = layer.clone();
            scaled.weight = scaled.weight.map(|w| w.mul_scalar(7.0));
            assert_close("scaled", &values(scaled.forward(x)), &y, 1e-5);
        }
    }

    #[test]
    fn a_convolution_is_its_matrix_on_every_patch() {
        for (_, device) in testkit::devices() {
            let mut random = RandomState::new(4);
            let options = Conv2d {
                stride: [2, 2],
                ..Conv2d::default()
            };
            let layer = SpectralConv2d::init([2, 3], 3, options, &mut random, &device);
            let x = testkit::seeded("patch", 2 * 3 * 3, 1.0);
            let image = Tensor::<4>::from_data(TensorData::new(x.clone(), [1, 2, 3, 3]), &device);
            let sigma = spectral_norm(layer.matrix(), layer.u.val());
            let patch = matrix(&x, [18, 1], &device);
            let product = matmul(layer.matrix(), patch).reshape([3]) / sigma + layer.bias.val();
            let found = values(layer.forward(image));
            // Sums of 18 products in another order.
            assert_close("patch", &found, &values(product), 1e-5);
        }
    }
}
