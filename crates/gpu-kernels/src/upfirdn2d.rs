//! Upsampling, FIR filtering and downsampling: one unit for each output pixel gathers the pixels that its taps meet.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::TensorData;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::limits::addressable;

/// What [`upfirdn2d`] does with each plane, along `[y, x]`: output `o` of an axis is the sum over taps `k` of `taps[k]`
/// times the upsampled input at `o down + k - before`, and zero outside it.
#[derive(Clone, Debug)]
pub struct CubeResampling {
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Upsampling factors: zeros are inserted between pixels.
    pub up: [usize; 2],
    /// Downsampling factors.
    pub down: [usize; 2],
    /// Zeros above and left of the upsampled input; negative crops.
    pub before: [isize; 2],
    /// Height and width of the filter.
    pub size: [usize; 2],
    /// The filter, row after row, in the order in which its taps meet the pixels.
    pub taps: Vec<f32>,
}

/// Resamples the planes of `x` `[batch, channels, height, width]`, `f32`.
pub fn upfirdn2d(x: CubeTensor, resampling: CubeResampling) -> CubeTensor {
    let CubeResampling {
        output,
        up,
        down,
        before,
        size,
        taps,
    } = resampling;
    let [batch, channels, height, width] = x.meta.shape().dims();
    let out_shape = [batch, channels, output[0], output[1]];
    let x = into_contiguous(x);
    let count = taps.len();
    let taps = CubeBackend::float_from_data(TensorData::new(taps, [count]), &x.device);
    let y = empty_device_contiguous_dtype(
        x.client.clone(),
        x.device.clone(),
        out_shape.into(),
        x.dtype,
    );
    let pixels = addressable(out_shape.iter().product());
    let client = x.client.clone();
    let cube_dim = CubeDim::new(&client, pixels);
    upfirdn2d_kernel::launch(
        &client,
        calculate_cube_count_elemwise(&client, pixels, cube_dim),
        cube_dim,
        x.into_buffer_arg(),
        taps.into_buffer_arg(),
        y.clone().into_buffer_arg(),
        height as i32,
        width as i32,
        output[0] as u32,
        output[1] as u32,
        before[0] as i32,
        before[1] as i32,
        up.map(|up| up as i32),
        down.map(|down| down as i32),
        size.map(|size| size as i32),
    );
    y
}

/// First tap that meets a pixel, not an inserted zero, when tap 0 lies at `first` of the upsampled image.
#[cube]
fn first_meeting(first: i32, #[comptime] up: i32) -> i32 {
    let past = first % up;
    // The remainder takes the sign of the dividend.
    let past = select(past < 0, past + up, past);
    select(past == 0, 0, up - past)
}

#[cube(launch)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
fn upfirdn2d_kernel(
    x: &[f32],
    taps: &[f32],
    y: &mut [f32],
    height: i32,
    width: i32,
    out_height: u32,
    out_width: u32,
    top: i32,
    left: i32,
    #[comptime] up: [i32; 2],
    #[comptime] down: [i32; 2],
    #[comptime] size: [i32; 2],
) {
    if ABSOLUTE_POS >= y.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS / out_width as usize;
    let out_x = (ABSOLUTE_POS % out_width as usize) as i32;
    let out_y = (row % out_height as usize) as i32;
    let plane = row / out_height as usize;
    let start = plane * (height as usize) * (width as usize);

    let first_y = out_y * comptime!(down[0]) - top;
    let first_x = out_x * comptime!(down[1]) - left;
    let skipped_y = first_meeting(first_y, comptime!(up[0]));
    let skipped_x = first_meeting(first_x, comptime!(up[1]));
    let first_row = (first_y + skipped_y) / comptime!(up[0]);
    let first_column = (first_x + skipped_x) / comptime!(up[1]);

    let mut sum = 0.0f32;
    let meetings_y = comptime!((size[0] + up[0] - 1) / up[0]);
    let meetings_x = comptime!((size[1] + up[1] - 1) / up[1]);
    for k in 0..meetings_y {
        let tap_y = skipped_y + k * comptime!(up[0]);
        let row = first_row + k;
        if tap_y < comptime!(size[0]) && row >= 0 && row < height {
            for l in 0..meetings_x {
                let tap_x = skipped_x + l * comptime!(up[1]);
                let column = first_column + l;
                if tap_x < comptime!(size[1]) && column >= 0 && column < width {
                    let tap = taps[(tap_y * comptime!(size[1]) + tap_x) as usize];
                    sum += tap * x[start + (row * width + column) as usize];
                }
            }
        }
    }
    y[ABSOLUTE_POS] = sum;
}
