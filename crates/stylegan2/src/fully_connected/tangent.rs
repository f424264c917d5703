use stylegan2_ops::{BiasAct, matmul};

use super::FullyConnected;
use crate::tangent::{Dual, bias_act_dual};

impl FullyConnected {
    /// [`forward`](Self::forward) and its tangent.
    pub(crate) fn forward_dual(&self, x: Dual<2>) -> Dual<2> {
        self.forward_scaled_dual(x.map(|x| x.mul_scalar(self.weight_gain)))
    }

    /// [`forward_scaled`](Self::forward_scaled) and its tangent.
    pub(crate) fn forward_scaled_dual(&self, x: Dual<2>) -> Dual<2> {
        let weight = self.weight.val().transpose();
        let bias = self.bias.val().mul_scalar(self.bias_gain);
        bias_act_dual(
            x.map(|x| matmul(x, weight.clone())),
            Some(bias),
            BiasAct {
                activation: self.activation,
                ..BiasAct::default()
            },
        )
    }
}
