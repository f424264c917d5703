use stylegan2_ops::{BiasAct, matmul};

use super::ToRgb;
use crate::tangent::{Dual, bias_act_dual};

impl ToRgb {
    /// [`forward`](Self::forward) and its tangent: `y = (W s) x` and `y' = (W s') x + (W s) x'`.
    pub(crate) fn forward_dual(&self, x: Dual<4>, w: Dual<2>) -> Dual<4> {
        let [batch, channels, height, width] = x.value.dims();
        let weight = self.weight.val();
        let colors = weight.dims()[0];
        let weight = weight.reshape([1, colors, channels]);
        let weight = self.affine.forward_scaled_dual(w).map(|styles| {
            let styles = styles.mul_scalar(self.weight_gain);
            weight.clone() * styles.reshape([batch, 1, channels]) // [N, O, I]
        });
        let x = x.map(|x| x.reshape([batch, channels, height * width]));
        let y = Dual {
            tangent: matmul(weight.tangent, x.value.clone())
                + matmul(weight.value.clone(), x.tangent),
            value: matmul(weight.value, x.value), // [N, O, HW]
        };
        bias_act_dual(
            y.map(|y| y.reshape([batch, colors, height, width])),
            Some(self.bias.val()),
            BiasAct {
                clamp: self.conv_clamp,
                ..BiasAct::default()
            },
        )
    }
}
