//! Forward-mode derivatives: a value and its derivative along one direction, carried through the networks together.
//!
//! A pass over a network with an input x and a direction v gives, besides y = f(x), the tangent y' = J v, where J =
//! df/dx. It costs two forward passes and is made of ordinary differentiable operations, so that first-order autodiff
//! can take its gradient in the weights: that is all that [`r1_penalty`](crate::regularization::r1_penalty) and
//! [`path_length_penalty`](crate::regularization::path_length_penalty) need of second derivatives.
//!
//! | layer | value | tangent |
//! |---|---|---|
//! | anything linear: convolution, FIR filter, matrix product, sum of branches | y = L x | y' = L x' |
//! | bias, noise (both do not depend on x) | y = x + b | y' = x' |
//! | activation with gain g and clamp c | y = clamp(g a(x)) | y' = g a'(x) x', 0 where clamped |
//! | modulation by a style s = A w | y = s x | y' = s' x + s x' |
//! | demodulation, E = sum of w² over the kernel | d = (E s² + ε)^(-1/2) | d' = -d³ E (s s') |
//! | minibatch standard deviation, m the group's mean | σ = (mean (x - m)² + ε)^(1/2) | σ' = mean((x - m) x') / σ |

mod bias_act;
mod minibatch_std;
mod modulated_conv2d;

pub(crate) use bias_act::bias_act_dual;
pub(crate) use minibatch_std::minibatch_std_dual;
pub(crate) use modulated_conv2d::modulated_conv2d_dual;

use burn::tensor::Tensor;

/// A value and its derivative along a direction, both of one shape.
#[derive(Clone, Debug)]
pub(crate) struct Dual<const D: usize> {
    pub(crate) value: Tensor<D>,
    pub(crate) tangent: Tensor<D>,
}

impl<const D: usize> Dual<D> {
    /// A value that does not depend on the input.
    pub(crate) fn constant(value: Tensor<D>) -> Self {
        Self {
            tangent: value.clone().detach().zeros_like(),
            value,
        }
    }

    /// A linear map of both.
    pub(crate) fn map<const E: usize>(self, linear: impl Fn(Tensor<D>) -> Tensor<E>) -> Dual<E> {
        Dual {
            value: linear(self.value),
            tangent: linear(self.tangent),
        }
    }
}

impl<const D: usize> std::ops::Add for Dual<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            tangent: self.tangent + other.tangent,
        }
    }
}

/// The product rule.
impl<const D: usize> std::ops::Mul for Dual<D> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            tangent: self.tangent * other.value.clone() + self.value.clone() * other.tangent,
            value: self.value * other.value,
        }
    }
}
