//! A convolution, or its adjoint in the input, as one product of matrices that are never laid out: rows are the
//! result's channels, columns its pixels of all images, and the reduction runs over the taps and the channels of the
//! input.
//!
//! A cube computes one [`Tile`]: it loads the next pieces of both factors into registers while it multiplies the
//! present ones from shared memory. The adjoint of a strided convolution meets other taps in every phase of its pixels,
//! so that each phase is a product of its own.

use cubecl::prelude::*;

use crate::multiplication::multiply;
use crate::tile::{LANES, Tile, UNITS};

/// A row of a column's image that no tap reaches, and times a width still a number of 32 bits.
const NOWHERE: i32 = -(1 << 16);

/// Sizes of one product.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct Geometry {
    /// Cubes that have work.
    pub cubes: usize,
    pub m_tiles: usize,
    pub n_tiles: usize,
    pub splits: usize,
    /// Channels of what is read: in the adjoint those of the forward output.
    pub ic: usize,
    /// Those of the packed weight.
    pub padded_ic: usize,
    /// Channels of the result.
    pub oc: usize,
    /// Those of the packed weight.
    pub padded_oc: usize,
    pub batch: usize,
    pub ih: usize,
    pub iw: usize,
    pub oh: usize,
    pub ow: usize,
    pub kh: usize,
    pub kw: usize,
    pub stride_y: usize,
    pub stride_x: usize,
    pub padding_y: usize,
    pub padding_x: usize,
}

/// One axis of a phase.
#[derive(CubeType, Clone, Copy)]
struct Axis {
    /// The first pixel of the phase, and the distance of its pixels.
    phase: usize,
    step: usize,
    /// Number of its pixels.
    length: usize,
    /// The first tap that its pixels meet, the distance of such taps, and their number.
    first_tap: usize,
    tap_step: usize,
    taps: usize,
    /// The input's pixel under the first tap of the phase's first pixel.
    origin: i32,
}

#[cube]
fn axis(
    phase: usize,
    out_length: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    #[comptime] adjoint: bool,
) -> Axis {
    if comptime!(adjoint) {
        let first_tap = (phase + padding) % stride;
        let mut taps = 0usize.runtime();
        if first_tap < kernel {
            taps = (kernel - first_tap).div_ceil(stride);
        }
        let mut length = 0usize.runtime();
        if phase < out_length {
            length = (out_length - phase).div_ceil(stride);
        }
        Axis {
            phase,
            step: stride,
            length,
            first_tap,
            tap_step: stride,
            taps,
            origin: ((phase + padding - first_tap) / stride) as i32,
        }
    } else {
        Axis {
            phase: 0usize.runtime(),
            step: 1usize.runtime(),
            length: out_length,
            first_tap: 0usize.runtime(),
            tap_step: 1usize.runtime(),
            taps: kernel,
            origin: -(padding as i32),
        }
    }
}

/// `y` `[splits, N, OC, OH, OW]` gets the product; the factors and the bias are for a reduction in one piece.
#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its arguments one by one"
)]
pub(super) fn gather_kernel(
    x: &[f32],
    weight: &[Vector<f32, Const<4>>],
    input_scale: ComptimeOption<&[f32]>,
    output_scale: ComptimeOption<&[f32]>,
    bias: ComptimeOption<&[f32]>,
    y: &mut [f32],
    geometry: Geometry,
    #[comptime] tile: Tile,
    #[comptime] adjoint: bool,
    // Whether the columns of a vector always belong to one image.
    #[comptime] one_image: bool,
) {
    if CUBE_POS >= geometry.cubes {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let m_tile = CUBE_POS % geometry.m_tiles;
    let rest = CUBE_POS / geometry.m_tiles;
    let n_tile = rest % geometry.n_tiles;
    let rest = rest / geometry.n_tiles;
    let split = rest % geometry.splits;
    let phase = rest / geometry.splits;

    let vertical = axis(
        phase / geometry.stride_x,
        geometry.oh,
        geometry.kh,
        geometry.stride_y,
        geometry.padding_y,
        adjoint,
    );
    let horizontal = axis(
        phase % geometry.stride_x,
        geometry.ow,
        geometry.kw,
        geometry.stride_x,
        geometry.padding_x,
        adjoint,
    );
    let plane = vertical.length * horizontal.length;
    let columns = geometry.batch * plane;
    if n_tile * comptime!(tile.n) >= columns {
        terminate!();
    }

    let m_vectors = comptime!(tile.m / LANES);
    let n_vectors = comptime!(tile.n / LANES);
    let m_loads = comptime!((tile.k * m_vectors).div_ceil(UNITS));
    let n_loads = comptime!((tile.k * n_vectors).div_ceil(UNITS));
    let n_parts = comptime!(tile.unit_n / LANES);
    let units_across = comptime!(tile.n / tile.unit_n);
    let units_down = comptime!(tile.m / tile.unit_m);

    // The four columns that this unit loads in every step: their image, the input's pixel under the first tap, and its
    // place in the plane.
    let mut images = Array::<usize>::new(LANES);
    let mut tops = Array::<i32>::new(LANES);
    let mut lefts = Array::<i32>::new(LANES);
    let mut places = Array::<i32>::new(LANES);
    let first_column = n_tile * comptime!(tile.n) + unit % n_vectors * LANES;
    #[unroll]
    for lane in 0..LANES {
        let column = first_column + lane;
        images[lane] = 0usize.runtime();
        tops[lane] = NOWHERE.runtime();
        lefts[lane] = 0i32.runtime();
        if column < columns {
            let pixel = column % plane;
            let row = (pixel / horizontal.length) as i32;
            let across = (pixel % horizontal.length) as i32;
            images[lane] = column / plane;
            if comptime!(adjoint) {
                tops[lane] = vertical.origin + row;
                lefts[lane] = horizontal.origin + across;
            } else {
                tops[lane] = vertical.origin + row * geometry.stride_y as i32;
                lefts[lane] = horizontal.origin + across * geometry.stride_x as i32;
            }
        }
        places[lane] = tops[lane] * geometry.iw as i32 + lefts[lane];
    }

    let chunks = geometry.padded_ic / comptime!(tile.k);
    let steps = chunks * vertical.taps * horizontal.taps;
    let per_split = steps.div_ceil(geometry.splits);
    let begin = split * per_split;
    let mut end = begin + per_split;
    if end > steps {
        end = steps;
    }

    let left_half = comptime!(tile.k * m_vectors);
    let right_half = comptime!(tile.k * n_vectors);
    let mut shared_left =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * left_half), 16usize);
    let mut shared_right =
        Shared::<[Vector<f32, Const<4>>]>::new_aligned_slice(comptime!(2 * right_half), 16usize);
    let mut next_left = Array::<Vector<f32, Const<4>>>::new(m_loads);
    // As they come from memory: whatever is done with them before the product would wait for them.
    let mut next_values = Array::<f32>::new(comptime!(n_loads * LANES));
    let mut next_scales = Array::<f32>::new(comptime!(n_loads * LANES));
    let mut next_inside = Array::<bool>::new(comptime!(n_loads * LANES));
    let mut sums = Array::<Vector<f32, Const<4>>>::new(comptime!(tile.unit_m * n_parts));
    #[unroll]
    for i in 0..comptime!(tile.unit_m * n_parts) {
        sums[i] = Vector::new(0.0f32);
    }

    let down = unit / units_across;
    let across = unit % units_across;
    let pixels = geometry.ih * geometry.iw;

    let mut chunk = begin % chunks;
    // A phase without taps has no steps, but must not divide by their number.
    let taps_across = select(horizontal.taps > 0, horizontal.taps, 1);
    let mut tap_y = begin / chunks / taps_across;
    let mut tap_x = begin / chunks % taps_across;

    // One turn more than there are steps: each turn loads the pieces of the next one.
    let mut step = begin;
    let mut half = 0usize.runtime();
    let turns = end + 1;
    while step < turns {
        if step < end {
            let kernel_tap = (vertical.first_tap + tap_y * vertical.tap_step) * geometry.kw
                + horizontal.first_tap
                + tap_x * horizontal.tap_step;
            let first_channel = chunk * comptime!(tile.k);
            #[unroll]
            for load in 0..m_loads {
                let index = unit + load * UNITS;
                if index < left_half {
                    let depth = kernel_tap * geometry.padded_ic + first_channel + index / m_vectors;
                    next_left[load] = weight[depth * (geometry.padded_oc / LANES)
                        + m_tile * m_vectors
                        + index % m_vectors];
                }
            }
            let mut down_taps = tap_y as i32;
            let mut across_taps = tap_x as i32;
            if comptime!(adjoint) {
                down_taps = -down_taps;
                across_taps = -across_taps;
            }
            let shift = down_taps * geometry.iw as i32 + across_taps;
            #[unroll]
            for load in 0..n_loads {
                let channel = first_channel + (unit + load * UNITS) / n_vectors;
                #[unroll]
                for lane in 0..LANES {
                    let index = comptime!(load * LANES + lane);
                    // Below zero they wrap around and are larger than any size.
                    let row = u32::cast_from(tops[lane] + down_taps);
                    let column = u32::cast_from(lefts[lane] + across_taps);
                    let inside = channel < geometry.ic
                        && row < geometry.ih as u32
                        && column < geometry.iw as u32;
                    let input_plane = images[lane] * geometry.ic + channel;
                    let at = input_plane * pixels + (places[lane] + shift) as usize;
                    next_inside[index] = inside;
                    next_values[index] = x[select(inside, at, 0)];
                    if comptime!(lane == 0 || !one_image) {
                        let at = select(channel < geometry.ic, input_plane, 0);
                        let scale: ComptimeOption<f32> =
                            input_scale.as_ref().map(|scale| scale[at]);
                        next_scales[index] = scale.unwrap_or(1.0);
                    }
                }
            }
            chunk += 1;
            if chunk == chunks {
                chunk = 0;
                tap_x += 1;
                if tap_x == horizontal.taps {
                    tap_x = 0;
                    tap_y += 1;
                }
            }
        }
        if step > begin {
            multiply(
                &shared_left,
                &shared_right,
                &mut sums,
                half * left_half + down,
                half * right_half + across,
                m_vectors,
                n_vectors,
                tile,
            );
        }
        half = 1 - half;
        if step < end {
            #[unroll]
            for load in 0..m_loads {
                let index = unit + load * UNITS;
                if index < left_half {
                    shared_left[half * left_half + index] = next_left[load];
                }
            }
            #[unroll]
            for load in 0..n_loads {
                let mut values = Vector::<f32, Const<4>>::new(0.0f32);
                #[unroll]
                for lane in 0..LANES {
                    let index = comptime!(load * LANES + lane);
                    let scale =
                        next_scales[comptime!(if one_image { load * LANES } else { index })];
                    values.insert(
                        lane,
                        select(next_inside[index], next_values[index] * scale, 0.0),
                    );
                }
                shared_right[half * right_half + unit + load * UNITS] = values;
            }
        }
        sync_cube();
        step += 1;
    }

    let out_pixels = geometry.oh * geometry.ow;
    let start = split * geometry.batch * geometry.oc * out_pixels;
    #[unroll]
    for part in 0..n_parts {
        #[unroll]
        for lane in 0..LANES {
            let column = n_tile * comptime!(tile.n) + (part * units_across + across) * LANES + lane;
            if column < columns {
                let image = column / plane;
                let pixel = column % plane;
                let out_row = vertical.phase + pixel / horizontal.length * vertical.step;
                let out_column = horizontal.phase + pixel % horizontal.length * horizontal.step;
                let at = out_row * geometry.ow + out_column;
                #[unroll]
                for i in 0..comptime!(tile.unit_m) {
                    let row = m_tile * comptime!(tile.m)
                        + (comptime!(i / LANES) * units_down + down) * LANES
                        + comptime!(i % LANES);
                    if row < geometry.oc {
                        let channel = image * geometry.oc + row;
                        let scale: ComptimeOption<f32> =
                            output_scale.as_ref().map(|scale| scale[channel]);
                        let bias: ComptimeOption<f32> = bias.as_ref().map(|bias| bias[row]);
                        let sum = sums[comptime!(i * n_parts + part)].extract(lane);
                        y[start + channel * out_pixels + at] =
                            sum * scale.unwrap_or(1.0) + bias.unwrap_or(0.0);
                    }
                }
            }
        }
    }
}
