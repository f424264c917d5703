use burn::module::Module;
use burn::tensor::Tensor;

use super::{plain, value_with_gradient_of};
use crate::Discriminator;

/// The result of [`r1_penalty`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct R1Penalty {
    /// `|d Σ D / dx|²` of every image, `[batch]`, without `gamma / 2`; on the plain device.
    pub per_image: Tensor<1>,
    /// Mean of [`per_image`](Self::per_image), `[1]`, whose backward pass gives its gradient in the discriminator's
    /// weights.
    pub mean: Tensor<1>,
}

/// The R1 gradient penalty of real images (Mescheder et al. 2018), exact, with a gradient in the weights of the
/// discriminator.
///
/// `image` `[batch, img_channels, img_resolution, img_resolution]` in [-1, 1], labels `c` `[batch, c_dim]` for a
/// conditional discriminator, which must be on an autodiff device. The official loss is `gamma / 2` times
/// [`R1Penalty::mean`]. The [module documentation](crate::regularization) derives how it is computed.
///
/// # Panics
/// When the discriminator is on a plain device, and as [`Discriminator::forward`].
pub fn r1_penalty(
    discriminator: &Discriminator,
    image: Tensor<4>,
    c: Option<Tensor<2>>,
) -> R1Penalty {
    r1_penalty_augmented(discriminator, image, c, |image| image, |v| v)
}

/// [`r1_penalty`] of the discriminator behind an augmentation A: the derivative of `D(A(x))` in x, the image before the
/// augmentation.
///
/// A must be affine. `augment` is A, with the same random numbers whenever it is called, and `augment_direction` its
/// linear part, which takes the derivative's direction through it (the chain rule: the tangent of `D(A(x))` along v is
/// that of D at `A(x)` along `A' v`).
///
/// # Panics
/// As [`r1_penalty`].
pub fn r1_penalty_augmented(
    discriminator: &Discriminator,
    image: Tensor<4>,
    c: Option<Tensor<2>>,
    augment: impl Fn(Tensor<4>) -> Tensor<4>,
    augment_direction: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> R1Penalty {
    let image = plain(image);
    let c = c.map(plain);
    let batch = image.dims()[0];

    // On the plain device the weights are constants, so that this backward pass computes no gradients of weights.
    let input = Tensor::from_inner(image.clone()).require_grad();
    let logits = discriminator
        .valid()
        .forward(augment(input.clone()), c.clone());
    let gradients = logits.sum().backward();
    let v = input
        .grad(&gradients)
        .expect("logits depend on the image, as the augmentation keeps some of it");

    let per_image: Tensor<1> = (v.clone() * v.clone())
        .sum_dim(3)
        .sum_dim(2)
        .sum_dim(1)
        .reshape([batch]);
    let (_, tangent) = discriminator.forward_tangent(augment(image), augment_direction(v), c);
    assert!(
        tangent.is_autodiff(),
        "r1_penalty expects a discriminator on an autodiff device, found a plain one"
    );
    let surrogate = tangent.sum().mul_scalar(2.0 / batch as f32);
    R1Penalty {
        mean: value_with_gradient_of(Tensor::from_inner(per_image.clone().mean()), surrogate),
        per_image,
    }
}
