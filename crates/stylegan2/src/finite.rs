use burn::tensor::Tensor;

use crate::error::LATENT;
use crate::{Generator, NoiseMode, StyleGan2Error};

impl Generator {
    /// Refuses images `[batch, img_channels, img_resolution, img_resolution]` with a value that is NaN or infinite, and
    /// says where it began: in the latents w_plus `[batch, num_ws, w_dim]` that they were made of, or in the block of a
    /// resolution, which is found by making that image again.
    ///
    /// # Errors
    /// When an image is not finite.
    ///
    /// # Panics
    /// When `w_plus` or a given noise image has another shape than the generator's.
    pub fn check_finite(
        &self,
        images: &Tensor<4>,
        w_plus: &Tensor<3>,
        noise: &NoiseMode,
    ) -> Result<(), StyleGan2Error> {
        let [batch, channels, height, width] = images.dims();
        let pixels = channels * height * width;
        let values = images.clone().into_data().convert::<f32>();
        let first = values
            .iter::<f32>()
            .position(|value| !value.is_finite())
            .map(|position| position / pixels.max(1));
        let Some(image) = first.filter(|image| *image < batch) else {
            return Ok(());
        };
        let [_, layers, features] = w_plus.dims();
        let latent = w_plus
            .clone()
            .slice([image..image + 1, 0..layers, 0..features]);
        Err(StyleGan2Error::NotFinite {
            image,
            place: self.first_not_finite(latent, &of_image(noise, image)),
        })
    }

    /// Where values of one image are first not finite.
    fn first_not_finite(&self, w_plus: Tensor<3>, noise: &NoiseMode) -> String {
        if !is_finite(&w_plus) {
            return LATENT.to_owned();
        }
        for block in self.synthesis.forward_blocks(w_plus, noise) {
            if !is_finite(&block.features) {
                return format!("synthesis.b{}", block.resolution);
            }
            if block.rgb.is_some_and(|rgb| !is_finite(&rgb)) {
                return format!("synthesis.b{}.torgb", block.resolution);
            }
        }
        "its noise images".to_owned()
    }
}

/// The noise of one image of a batch. Random noise is another for it, but finite as well.
fn of_image(noise: &NoiseMode, image: usize) -> NoiseMode {
    match noise {
        NoiseMode::Given(images) => NoiseMode::Given(
            images
                .iter()
                .map(|noise| match noise.dims() {
                    [1, ..] => noise.clone(),
                    [_, channels, height, width] => {
                        let range = [image..image + 1, 0..channels, 0..height, 0..width];
                        noise.clone().slice(range)
                    }
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn is_finite<const D: usize>(tensor: &Tensor<D>) -> bool {
    let values = tensor.clone().into_data().convert::<f32>();
    values.iter::<f32>().all(f32::is_finite)
}
