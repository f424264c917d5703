use burn::tensor::Tensor;

use super::DiscriminatorEpilogue;
use crate::tangent::{Dual, minibatch_std_dual};

impl DiscriminatorEpilogue {
    /// [`forward`](Self::forward) and its tangent; the label does not depend on the image.
    pub(crate) fn forward_dual(
        &self,
        x: Dual<4>,
        image: Option<Dual<4>>,
        cmap: Option<Tensor<2>>,
    ) -> Dual<2> {
        let x = match (&self.fromrgb, image) {
            (Some(fromrgb), Some(image)) => x + fromrgb.forward_dual(image, 1.0),
            _ => x,
        };
        let x = if self.mbstd_num_channels > 0 {
            minibatch_std_dual(x, self.mbstd_group_size, self.mbstd_num_channels)
        } else {
            x
        };
        let x: Dual<2> = self.conv.forward_dual(x, 1.0).map(|x| x.flatten(1, 3));
        let x = self.out.forward_dual(self.fc.forward_dual(x));
        match cmap {
            Some(cmap) => x.map(|x| {
                (x * cmap.clone())
                    .sum_dim(1)
                    .mul_scalar(1.0 / (self.cmap_features as f32).sqrt())
            }),
            None => x,
        }
    }
}
