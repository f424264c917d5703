use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::limits::{addressable, addressable_by_strides};
use crate::tile::Tile;

/// A weight as the kernels read it: `[taps, IC, OC]`, both padded with zeros to whole tiles.
pub(super) struct Packed {
    pub values: CubeTensor,
    /// Padded channels of what the kernel reads.
    pub ic: usize,
    /// Padded channels of its result.
    pub oc: usize,
}

/// Axes of a weight `[OC, IC, KH, KW]` that belong to the kernel's result and to what it reads: the adjoint swaps them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub oc: usize,
    pub ic: usize,
}

impl Packed {
    /// Any layout of `weight` is read where it lies.
    pub fn new(weight: &CubeTensor, axes: Axes, tile: Tile) -> Self {
        addressable_by_strides(weight);
        let shape: [usize; 4] = weight.meta.shape().dims();
        let strides = weight.meta.strides();
        let ic = shape[axes.ic].next_multiple_of(tile.k);
        let oc = shape[axes.oc].next_multiple_of(tile.m);
        let count = addressable(shape[2] * shape[3] * ic * oc);
        let values = empty_device_contiguous_dtype(
            weight.client.clone(),
            weight.device.clone(),
            [count].into(),
            weight.dtype,
        );
        let client = weight.client.clone();
        let cube_dim = CubeDim::new(&client, count);
        // SAFETY: units past the `count` packed values end first, and all others read inside the shape of `weight`
        // along its strides.
        unsafe {
            pack_kernel::launch_unchecked(
                &client,
                calculate_cube_count_elemwise(&client, count, cube_dim),
                cube_dim,
                weight.clone().into_buffer_arg(),
                values.clone().into_buffer_arg(),
                WeightLaunch::new(
                    count,
                    shape[axes.ic],
                    shape[axes.oc],
                    ic,
                    oc,
                    shape[3],
                    strides[axes.ic],
                    strides[axes.oc],
                    strides[2],
                    strides[3],
                ),
            );
        }
        Self { values, ic, oc }
    }
}

#[derive(CubeLaunch, CubeType)]
struct Weight {
    packed: usize,
    ic: usize,
    oc: usize,
    padded_ic: usize,
    padded_oc: usize,
    kw: usize,
    ic_stride: usize,
    oc_stride: usize,
    y_stride: usize,
    x_stride: usize,
}

#[cube(launch_unchecked)]
fn pack_kernel(weight: &[f32], packed: &mut [f32], layout: Weight) {
    if ABSOLUTE_POS >= layout.packed {
        terminate!();
    }
    let o = ABSOLUTE_POS % layout.padded_oc;
    let rest = ABSOLUTE_POS / layout.padded_oc;
    let i = rest % layout.padded_ic;
    let tap = rest / layout.padded_ic;
    let mut value = 0.0f32;
    if o < layout.oc && i < layout.ic {
        value = weight[o * layout.oc_stride
            + i * layout.ic_stride
            + tap / layout.kw * layout.y_stride
            + tap % layout.kw * layout.x_stride];
    }
    packed[ABSOLUTE_POS] = value;
}
