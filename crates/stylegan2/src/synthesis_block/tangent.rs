use stylegan2_ops::upsample2d;

use super::SynthesisBlock;
use crate::noise::NoiseImages;
use crate::tangent::Dual;

impl SynthesisBlock {
    /// [`forward`](Self::forward) and its tangent.
    pub(crate) fn forward_dual(
        &self,
        x: Option<Dual<4>>,
        rgb: Option<Dual<4>>,
        ws: &[Dual<2>],
        noise: &mut NoiseImages<'_>,
    ) -> (Dual<4>, Option<Dual<4>>) {
        let convolutions = self.num_convolutions();
        let x = match (&self.constant, &self.conv0, x) {
            (Some(constant), _, _) => {
                let batch = ws[0].value.dims()[0];
                let [channels, height, width] = constant.val().dims();
                let input = constant.val().unsqueeze::<4>();
                let input = Dual::constant(input.expand([batch, channels, height, width]));
                self.conv1.forward_dual(input, ws[0].clone(), noise, 1.0)
            }
            (None, Some(conv0), Some(x)) => match &self.skip {
                Some(skip) => {
                    let gain = std::f32::consts::FRAC_1_SQRT_2;
                    let shortcut = skip.forward_dual(x.clone(), gain);
                    let x = conv0.forward_dual(x, ws[0].clone(), noise, 1.0);
                    shortcut + self.conv1.forward_dual(x, ws[1].clone(), noise, gain)
                }
                None => {
                    let x = conv0.forward_dual(x, ws[0].clone(), noise, 1.0);
                    self.conv1.forward_dual(x, ws[1].clone(), noise, 1.0)
                }
            },
            _ => unreachable!("every block but the first has conv0 and gets features"),
        };
        let rgb = rgb.map(|rgb| rgb.map(|rgb| upsample2d(rgb, self.resample_filter.filter(), 2)));
        let rgb = match &self.torgb {
            Some(torgb) => {
                let y = torgb.forward_dual(x.clone(), ws[convolutions].clone());
                Some(match rgb {
                    Some(rgb) => rgb + y,
                    None => y,
                })
            }
            None => rgb,
        };
        (x, rgb)
    }
}
