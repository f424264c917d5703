use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::limits::{addressable, addressable_by_strides};
use crate::tile::Tile;

/// A weight as the kernels read it: `[taps, depth, rows]`, both padded with zeros to whole tiles.
pub(super) struct Packed {
    pub values: CubeTensor,
    /// Padded length of the reduction's channels.
    pub depth: usize,
    /// Padded number of rows.
    pub rows: usize,
}

/// Axes of a weight `[out, in, kh, kw]` that the rows and the reduction run along.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub rows: usize,
    pub reduction: usize,
}

impl Packed {
    /// Any layout of `weight` is read where it lies.
    pub fn new(weight: &CubeTensor, axes: Axes, tile: Tile) -> Self {
        addressable_by_strides(weight);
        let shape: [usize; 4] = weight.meta.shape().dims();
        let strides = weight.meta.strides();
        let depth = shape[axes.reduction].next_multiple_of(tile.depth);
        let rows = shape[axes.rows].next_multiple_of(tile.rows);
        let count = addressable(shape[2] * shape[3] * depth * rows);
        let values = empty_device_contiguous_dtype(
            weight.client.clone(),
            weight.device.clone(),
            [count].into(),
            weight.dtype,
        );
        let client = weight.client.clone();
        let cube_dim = CubeDim::new(&client, count);
        // SAFETY: units past the `count` packed values end first, and all others read inside the shape of `weight` along its strides.
        unsafe {
            pack_kernel::launch_unchecked(
                &client,
                calculate_cube_count_elemwise(&client, count, cube_dim),
                cube_dim,
                weight.clone().into_buffer_arg(),
                values.clone().into_buffer_arg(),
                WeightLaunch::new(
                    count,
                    shape[axes.reduction],
                    shape[axes.rows],
                    depth,
                    rows,
                    shape[3],
                    strides[axes.reduction],
                    strides[axes.rows],
                    strides[2],
                    strides[3],
                ),
            );
        }
        Self {
            values,
            depth,
            rows,
        }
    }
}

#[derive(CubeLaunch, CubeType)]
struct Weight {
    packed: usize,
    channels: usize,
    rows: usize,
    padded_channels: usize,
    padded_rows: usize,
    kernel_width: usize,
    channel_stride: usize,
    row_stride: usize,
    y_stride: usize,
    x_stride: usize,
}

#[cube(launch_unchecked)]
fn pack_kernel(weight: &[f32], packed: &mut [f32], layout: Weight) {
    if ABSOLUTE_POS >= layout.packed {
        terminate!();
    }
    let row = ABSOLUTE_POS % layout.padded_rows;
    let rest = ABSOLUTE_POS / layout.padded_rows;
    let channel = rest % layout.padded_channels;
    let tap = rest / layout.padded_channels;
    let mut value = 0.0f32;
    if row < layout.rows && channel < layout.channels {
        value = weight[row * layout.row_stride
            + channel * layout.channel_stride
            + tap / layout.kernel_width * layout.y_stride
            + tap % layout.kernel_width * layout.x_stride];
    }
    packed[ABSOLUTE_POS] = value;
}
