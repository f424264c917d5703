use burn::tensor::Tensor;

use super::Dual;
use crate::minibatch_std::{VARIANCE_EPSILON, group_size_of};

/// [`minibatch_std`](crate::minibatch_std::minibatch_std) and its tangent `σ' = mean((x - m) x') / σ`, the mean over
/// the group.
///
/// The mean m moves too, but `mean((x - m) m') = 0` as deviations from a mean sum to zero.
pub(crate) fn minibatch_std_dual(
    x: Dual<4>,
    group_size: Option<usize>,
    num_channels: usize,
) -> Dual<4> {
    let [batch, channels, height, width] = x.value.dims();
    let group = group_size_of(batch, group_size);
    let groups = batch / group;
    let share = channels / num_channels;
    let grouped = |x: Tensor<4>| x.reshape([group, groups * num_channels, share * height * width]); // [G, nF, cHW]
    let y: Tensor<3> = grouped(x.value.clone());
    let centered = y.clone() - y.mean_dim(0);
    let variance = (centered.clone() * centered.clone()).mean_dim(0); // [1, nF, cHW]
    let deviation = (variance + VARIANCE_EPSILON).sqrt();
    let moved = (centered * grouped(x.tangent.clone())).mean_dim(0) / deviation.clone();
    let maps = Dual {
        value: deviation,
        tangent: moved,
    }
    .map(|statistic| {
        statistic
            .mean_dim(2) // [1, nF, 1]
            .reshape([1, groups, num_channels, 1, 1])
            .expand([group, groups, num_channels, height, width])
            .reshape([batch, num_channels, height, width])
    });
    Dual {
        value: Tensor::cat(vec![x.value, maps.value], 1),
        tangent: Tensor::cat(vec![x.tangent, maps.tangent], 1),
    }
}
