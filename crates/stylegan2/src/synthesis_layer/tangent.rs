use super::SynthesisLayer;
use crate::noise::NoiseImages;
use crate::tangent::{Dual, bias_act_dual, modulated_conv2d_dual};

impl SynthesisLayer {
    /// [`forward`](Self::forward) and its tangent.
    pub(crate) fn forward_dual(
        &self,
        x: Dual<4>,
        w: Dual<2>,
        noise: &mut NoiseImages<'_>,
        gain: f32,
    ) -> Dual<4> {
        let batch = w.value.dims()[0];
        let styles = self.affine.forward_scaled_dual(w);
        let mut y = modulated_conv2d_dual(
            x,
            self.weight.val(),
            styles,
            self.resample_filter.filter(),
            self.modulation_options(),
        );
        if let Some(image) = self.scaled_noise(batch, noise) {
            y.value = y.value + image;
        }
        bias_act_dual(y, Some(self.bias.val()), self.bias_act_options(gain))
    }
}
