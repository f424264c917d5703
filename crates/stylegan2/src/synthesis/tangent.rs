use burn::tensor::Tensor;

use super::SynthesisNetwork;
use crate::noise::{NoiseImages, NoiseMode};
use crate::tangent::Dual;

impl SynthesisNetwork {
    /// The images of `w_plus` and their derivative along `direction`: `(g(w), J_g(w) u)`, both
    /// `[batch, img_channels, img_resolution, img_resolution]`, for `w_plus` and `direction` of shape
    /// `[batch, num_ws, w_dim]`.
    ///
    /// Both are differentiable in the weights, `w_plus` and `direction`. Costs about two forward passes.
    ///
    /// # Panics
    /// When `w_plus` and `direction` differ in shape, and as [`forward`](Self::forward).
    pub fn forward_tangent(
        &self,
        w_plus: Tensor<3>,
        direction: Tensor<3>,
        noise: &NoiseMode,
    ) -> (Tensor<4>, Tensor<4>) {
        assert_eq!(
            w_plus.dims(),
            direction.dims(),
            "forward_tangent expects a direction of the shape of w_plus"
        );
        let ws: Vec<Dual<2>> = self
            .layer_latents(w_plus)
            .into_iter()
            .zip(self.layer_latents(direction))
            .map(|(value, tangent)| Dual { value, tangent })
            .collect();
        let mut noise = NoiseImages::new(noise, self.shape.noise_layers);
        let (mut x, mut rgb) = (None, None);
        let mut first = 0;
        for block in &self.blocks {
            let (features, colors) = block.forward_dual(x, rgb, &ws[first..], &mut noise);
            first += block.num_convolutions();
            (x, rgb) = (Some(features), colors);
        }
        let Dual { value, tangent } = rgb.expect("the last block makes colors");
        (value, tangent)
    }
}
