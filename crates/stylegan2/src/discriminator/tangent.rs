use burn::tensor::Tensor;

use super::Discriminator;
use crate::tangent::Dual;

impl Discriminator {
    /// The logits of `image` and their derivative along `direction`: `(D(x), J_D(x) v)`, both `[batch, 1]`, for `image`
    /// and `direction` of shape `[batch, img_channels, img_resolution, img_resolution]`.
    ///
    /// The minibatch standard deviation couples images, so a logit moves with every direction in its group. Both are
    /// differentiable in the weights, `image` and `direction`. Costs about two forward passes.
    ///
    /// # Panics
    /// When `image` and `direction` differ in shape, and as [`forward`](Self::forward).
    pub fn forward_tangent(
        &self,
        image: Tensor<4>,
        direction: Tensor<4>,
        c: Option<Tensor<2>>,
    ) -> (Tensor<2>, Tensor<2>) {
        self.assert_image_shape(&image);
        assert_eq!(
            image.dims(),
            direction.dims(),
            "forward_tangent expects a direction of the shape of the image"
        );
        let mut image = Some(Dual {
            value: image,
            tangent: direction,
        });
        let mut x = None;
        for block in &self.blocks {
            let (features, smaller) = block.forward_dual(x, image);
            (x, image) = (Some(features), smaller);
        }
        let x = x.expect("a validated configuration has a block");
        let cmap = self.mapping.as_ref().map(|mapping| mapping.label_to_w(c));
        let Dual { value, tangent } = self.epilogue.forward_dual(x, image, cmap);
        (value, tangent)
    }
}
