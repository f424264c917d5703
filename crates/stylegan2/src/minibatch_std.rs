use burn::tensor::Tensor;

/// Added to the variance before the root, as in the official code.
pub(crate) const VARIANCE_EPSILON: f32 = 1e-8;

/// Appends the standard deviation over groups of the minibatch as constant feature maps (Karras et al. 2018, section
/// 3).
///
/// x `[batch, channels, height, width]` gets `num_channels` maps more, each the mean over its share of the channels.
/// Sample i is in group `i mod (batch / group)`, as in the official code.
///
/// # Panics
/// When the batch is not a multiple of the group (`min(group_size, batch)`).
pub(crate) fn minibatch_std(
    x: Tensor<4>,
    group_size: Option<usize>,
    num_channels: usize,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let group = group_size_of(batch, group_size);
    let groups = batch / group;
    let share = channels / num_channels;
    let y: Tensor<3> = x
        .clone()
        .reshape([group, groups * num_channels, share * height * width]); // [G, nF, cHW]
    let centered = y.clone() - y.mean_dim(0);
    let variance = (centered.clone() * centered).mean_dim(0); // [1, nF, cHW]
    let deviation = (variance + VARIANCE_EPSILON).sqrt().mean_dim(2); // [1, nF, 1]
    let maps = deviation
        .reshape([1, groups, num_channels, 1, 1])
        .expand([group, groups, num_channels, height, width])
        .reshape([batch, num_channels, height, width]);
    Tensor::cat(vec![x, maps], 1)
}

/// Images of a group: `min(group_size, batch)`, the entire batch for `None`.
pub(crate) fn group_size_of(batch: usize, group_size: Option<usize>) -> usize {
    let group = group_size.map_or(batch, |size| size.min(batch));
    assert!(
        batch.is_multiple_of(group),
        "the minibatch standard deviation expects a batch that is a multiple of its group of {group} images, found {batch}"
    );
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn last_channels(x: Tensor<4>, count: usize) -> Vec<f32> {
        let [batch, channels, height, width] = x.dims();
        x.slice([0..batch, channels - count..channels, 0..height, 0..width])
            .into_data()
            .try_to_vec()
            .expect("f32 tensors")
    }

    #[test]
    fn a_batch_of_equal_images_has_the_deviation_of_the_epsilon() {
        for (_, device) in testkit::devices() {
            let x = Tensor::<4>::ones([4, 2, 3, 3], &device).mul_scalar(5.0);
            for value in last_channels(minibatch_std(x, Some(4), 1), 1) {
                // sqrt(1e-8), to f32's rounding.
                assert!((value - 1e-4).abs() < 1e-9, "{value}");
            }
        }
    }

    #[test]
    fn groups_are_strided_and_shares_of_channels_stay_apart() {
        for (_, device) in testkit::devices() {
            // Samples 0 and 2 are one group, 1 and 3 the other; the second share of the channels varies three times as
            // much.
            let values: Vec<f32> = [0.0, 10.0, 2.0, 14.0]
                .iter()
                .flat_map(|v| [*v, 3.0 * v])
                .collect();
            let x = Tensor::<4>::from_data(TensorData::new(values, [4, 2, 1, 1]), &device);
            let found = last_channels(minibatch_std(x, Some(2), 2), 2);
            let expected = [1.0, 3.0, 2.0, 6.0, 1.0, 3.0, 2.0, 6.0];
            // Exact but for the epsilon under the root.
            testkit::assert_close("minibatch std", &found, &expected, 1e-6);
        }
    }

    #[test]
    fn a_group_of_the_entire_batch_is_the_deviation_of_the_batch() {
        for (_, device) in testkit::devices() {
            let values = testkit::seeded("mbstd", 6 * 2 * 4, 1.0);
            let x = Tensor::<4>::from_data(TensorData::new(values, [6, 2, 2, 2]), &device);
            let all = last_channels(minibatch_std(x.clone(), None, 1), 1);
            let same = last_channels(minibatch_std(x, Some(100), 1), 1);
            assert_eq!(all, same);
        }
    }

    #[test]
    #[should_panic(expected = "multiple of its group of 4 images, found 6")]
    fn a_batch_that_does_not_divide_is_refused() {
        for (_, device) in testkit::devices() {
            minibatch_std(Tensor::zeros([6, 2, 2, 2], &device), Some(4), 1);
        }
    }
}
