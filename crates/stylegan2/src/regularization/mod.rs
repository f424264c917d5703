//! Penalties on derivatives of the networks, exact with first-order autodiff.
//!
//! R1 and path length penalize the size of a derivative, so that training needs the gradient of a gradient. Autodiff of
//! first order is enough where one of the two derivatives is taken forwards, and the directions happen to be known:
//! they are the derivative itself.
//!
//! **R1** (Mescheder et al. 2018). With v(θ) = d Σ D_θ(x) / dx, the penalty is P = mean over images of |v|². Its
//! gradient is dP/dθ = 2/N <v, dv/dθ>. Keep the v of the current weights as a constant v̄. For a constant direction,
//! <v̄, v(θ)> is the sum of the logits' derivatives along v̄, the tangent J_D v̄, and so
//!
//! ```text
//! dP/dθ = d/dθ [ 2/N Σ J_D(x; θ) v̄ ]
//! ```
//!
//! **Path length** (Karras et al. 2020, section 3.2). With y a noise image and u(θ) = J_gᵀ y the gradient of <g(w), y>
//! in w, the length of an image is ℓ = (1/L Σ_layers |u|²)^(1/2), and P is a function of all ℓ. Hence dP/dθ = Σ (dP/dℓ)
//! / (L ℓ) <ū, du/dθ>. Transposition moves the derivative to the other side: <ū, J_gᵀ y> = <J_g ū, y>, the tangent of
//! the generator along ū. With the factors taken into the direction, ũ = (dP/dℓ) / (L ℓ) ū,
//!
//! ```text
//! dP/dθ = d/dθ < J_g(w; θ) ũ, y >
//! ```
//!
//! Each is one backward pass for v̄ or ū, in which no gradient of a weight is computed, then a tangent pass and its
//! ordinary backward pass. Nothing is approximated: there is no finite difference, and no autodiff of autodiff.

mod path_length;
mod r1;

pub use path_length::{PathLengthMean, PathLengthPenalty, path_length_penalty};
pub use r1::{R1Penalty, r1_penalty, r1_penalty_augmented};

use burn::tensor::Tensor;

/// A scalar with the value of `penalty` and the gradient of `surrogate`.
fn value_with_gradient_of(penalty: Tensor<1>, surrogate: Tensor<1>) -> Tensor<1> {
    surrogate.clone() - surrogate.detach() + penalty
}

/// The tensor without its history, on the plain device.
fn plain<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.is_autodiff() { x.inner() } else { x }
}
