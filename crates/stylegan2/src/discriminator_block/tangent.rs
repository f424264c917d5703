use stylegan2_ops::downsample2d;

use super::DiscriminatorBlock;
use crate::config::Architecture;
use crate::tangent::Dual;

impl DiscriminatorBlock {
    /// [`forward`](Self::forward) and its tangent.
    pub(crate) fn forward_dual(
        &self,
        x: Option<Dual<4>>,
        image: Option<Dual<4>>,
    ) -> (Dual<4>, Option<Dual<4>>) {
        let (x, image) = match (&self.fromrgb, x, image) {
            (Some(fromrgb), x, Some(image)) => {
                let smaller = (self.architecture == Architecture::Skip).then(|| {
                    image
                        .clone()
                        .map(|image| downsample2d(image, self.resample_filter.filter(), 2))
                });
                let y = fromrgb.forward_dual(image, 1.0);
                let x = match x {
                    Some(x) => x + y,
                    None => y,
                };
                (x, smaller)
            }
            (None, Some(x), _) => (x, None),
            _ => unreachable!("the first block gets the image, every other one features"),
        };
        let x = match &self.skip {
            Some(skip) => {
                let gain = std::f32::consts::FRAC_1_SQRT_2;
                let shortcut = skip.forward_dual(x.clone(), gain);
                shortcut
                    + self
                        .conv1
                        .forward_dual(self.conv0.forward_dual(x, 1.0), gain)
            }
            None => self
                .conv1
                .forward_dual(self.conv0.forward_dual(x, 1.0), 1.0),
        };
        (x, image)
    }
}
