use burn::module::Param;

use super::Conv2dLayer;
use crate::tangent::{Dual, bias_act_dual};

impl Conv2dLayer {
    /// [`forward`](Self::forward) and its tangent.
    pub(crate) fn forward_dual(&self, x: Dual<4>, gain: f32) -> Dual<4> {
        let y = x.map(|x| self.convolve(x, gain));
        bias_act_dual(
            y,
            self.bias.as_ref().map(Param::val),
            self.bias_act_options(gain),
        )
    }
}
