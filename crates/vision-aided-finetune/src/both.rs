//! Generated and real images in one pass through the discriminator.

use burn::tensor::Tensor;
use stylegan2::Discriminator;

/// Logits of generated and of real images, each `[batch, 1]`, from one pass through the discriminator where that
/// changes nothing.
///
/// Only the minibatch standard deviation looks at several images: sample i of a batch of `group * groups` is in group
/// `i mod groups`. The images are placed so that every group is of one kind, as it would be in two passes. One pass
/// reads the weights once, and planes of 4x4 to 16x16 fill vectors with the images of a batch.
pub(crate) fn logits_of_both(
    discriminator: &Discriminator,
    fake: Tensor<4>,
    real: Tensor<4>,
) -> [Tensor<2>; 2] {
    let batch = fake.dims()[0];
    let group = match discriminator.config().epilogue_kwargs.mbstd_group_size {
        Some(size) if size <= batch => size,
        _ => return [fake, real].map(|images| discriminator.forward(images, None)),
    };
    let groups = batch / group;
    let [channels, height, width] = [1, 2, 3].map(|dimension| fake.dims()[dimension]);
    let [fake, real] =
        [fake, real].map(|images| images.reshape([group, groups, channels, height, width]));
    let both: Tensor<5> = Tensor::cat(vec![fake, real], 1); // [G, 2 groups, C, H, W]
    let logits = discriminator
        .forward(both.reshape([2 * batch, channels, height, width]), None)
        .reshape([group, 2 * groups]);
    [0, groups].map(|first| {
        logits
            .clone()
            .slice([0..group, first..first + groups])
            .reshape([batch, 1])
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use stylegan2::DiscriminatorConfig;

    use super::*;

    /// A batch of two groups of two: groups of the joint batch would mix both kinds if the images simply followed each
    /// other.
    #[test]
    fn one_pass_gives_the_logits_of_two() {
        let config = DiscriminatorConfig::from_json(
            r#"{"c_dim": 0, "img_resolution": 8, "img_channels": 3, "channel_base": 64, "channel_max": 8,
                "epilogue_kwargs": {"mbstd_group_size": 2}}"#,
        )
        .expect("a configuration");
        for (_, device) in testkit::devices() {
            let discriminator = Discriminator::init(&config, 3, &device).expect("random weights");
            let [fake, real] = [("fake", 0.3), ("real", 1.0)].map(|(name, deviation)| {
                let values = testkit::seeded(name, 4 * 3 * 8 * 8, deviation);
                Tensor::<4>::from_data(TensorData::new(values, [4, 3, 8, 8]), &device)
            });
            let both = logits_of_both(&discriminator, fake.clone(), real.clone());
            let values = |logits: Tensor<2>| logits.into_data().iter::<f32>().collect::<Vec<_>>();
            for (found, images) in both.into_iter().zip([fake, real]) {
                let expected = values(discriminator.forward(images, None));
                // A batch of another size may be summed in another order.
                testkit::assert_close("logits", &values(found), &expected, 1e-5);
            }
        }
    }
}
