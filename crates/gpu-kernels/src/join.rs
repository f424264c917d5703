use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

/// Adds the parts of a split sum, `parts` `[splits, y]`, into `y` `[.., rows, pixels]`, times a factor for each plane,
/// plus a bias for each row.
///
/// The order of a sum is that of its parts, so that results do not change from run to run.
pub(crate) fn join(
    parts: CubeTensor,
    scale: Option<CubeTensor>,
    bias: Option<CubeTensor>,
    y: &CubeTensor,
    splits: usize,
    rows: usize,
    pixels: usize,
) {
    let count = y.meta.num_elements();
    let client = y.client.clone();
    let cube_dim = CubeDim::new(&client, count);
    // SAFETY: units past the `count` values of the result end first, and the parts have `splits` times as many.
    unsafe {
        join_kernel::launch_unchecked(
            &client,
            calculate_cube_count_elemwise(&client, count, cube_dim),
            cube_dim,
            parts.into_buffer_arg(),
            scale.map(CubeTensor::into_buffer_arg).into(),
            bias.map(CubeTensor::into_buffer_arg).into(),
            y.clone().into_buffer_arg(),
            count,
            splits,
            rows,
            pixels,
        );
    }
}

#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn join_kernel(
    parts: &[f32],
    scale: ComptimeOption<&[f32]>,
    bias: ComptimeOption<&[f32]>,
    y: &mut [f32],
    count: usize,
    splits: usize,
    rows: usize,
    pixels: usize,
) {
    if ABSOLUTE_POS >= count {
        terminate!();
    }
    let mut sum = 0.0f32;
    for split in 0..splits {
        sum += parts[split * count + ABSOLUTE_POS];
    }
    let plane = ABSOLUTE_POS / pixels;
    let scale: ComptimeOption<f32> = scale.as_ref().map(|scale| scale[plane]);
    let bias: ComptimeOption<f32> = bias.as_ref().map(|bias| bias[plane % rows]);
    y[ABSOLUTE_POS] = sum * scale.unwrap_or(1.0) + bias.unwrap_or(0.0);
}
