//! `upfirdn2d` on graphics processors: one unit for each output pixel gathers the pixels that its taps meet.

use burn::backend::ops::FloatTensorOps;
use burn::tensor::TensorData;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::backend::UpFirDn2dOps;
use super::{UpFirDn2d, correlation_taps};
use crate::Filter;
use crate::cube::addressable;

impl UpFirDn2dOps for CubeBackend {
    fn upfirdn2d(x: CubeTensor, filter: Filter, parameters: UpFirDn2d) -> CubeTensor {
        let shape: [usize; 4] = x.meta.shape().dims();
        let out_shape = parameters.output_shape(shape, &filter);
        let x = into_contiguous(x);
        let taps = correlation_taps(filter.taps(), parameters.flip_filter, parameters.gain);
        let count = taps.len();
        let taps = Self::float_from_data(TensorData::new(taps, [count]), &x.device);
        let y = empty_device_contiguous_dtype(
            x.client.clone(),
            x.device.clone(),
            out_shape.into(),
            x.dtype,
        );
        let pixels = addressable(out_shape.iter().product());
        let client = x.client.clone();
        let cube_dim = CubeDim::new(&client, pixels);
        let [left, _, top, _] = parameters.padding;
        upfirdn2d_kernel::launch(
            &client,
            calculate_cube_count_elemwise(&client, pixels, cube_dim),
            cube_dim,
            x.into_buffer_arg(),
            taps.into_buffer_arg(),
            y.clone().into_buffer_arg(),
            shape[2] as i32,
            shape[3] as i32,
            out_shape[2] as u32,
            out_shape[3] as u32,
            top as i32,
            left as i32,
            parameters.up.map(|up| up as i32),
            parameters.down.map(|down| down as i32),
            [filter.height() as i32, filter.width() as i32],
        );
        y
    }
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
