//! Weight gradients of narrow groups: one matrix product for each group, gradient times a transposed column matrix.

use gemm::{Parallelism, gemm};

use super::microkernel::MAX_LANES;
use super::pack::{Planes, pack, spread};
use super::plan::Plan;
use super::weight_gradient::WeightGradient;
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Elements of the column matrix in hand: 4 MiB, so that it is still in cache when it is multiplied.
const COLUMN_ELEMENTS: usize = 1 << 20;

/// Channels of a group below which vectors of channels would be mostly empty, as in a depthwise convolution or next to an image.
const NARROW: usize = 4;

/// Whether the groups are so narrow on either side that this path is the better one.
pub(super) fn is_narrow(input: &WeightGradient<'_>) -> bool {
    input.channels.min(input.rows) < NARROW
}

/// Gradient of a cross-correlation in its weight, `[groups rows, channels, kh, kw]`.
///
/// One matrix product for each group, gradient times the transposed column matrix, in pieces of [`COLUMN_ELEMENTS`].
pub(super) fn weight_gradient(input: &WeightGradient<'_>) -> Vec<f32> {
    let WeightGradient {
        batch,
        groups,
        channels,
        rows,
        geometry,
        ..
    } = *input;
    let [out_height, out_width] = geometry.output;
    let area_out = out_height * out_width;
    let plan = Plan::convolution(geometry);
    let offsets: Vec<usize> = plan.passes[0].taps.iter().map(|tap| tap.offset).collect();
    let depth = channels * offsets.len();
    let mut result = vec![0.0; groups * rows * depth];

    let in_place = plan.packing.is_identity(geometry.input);
    let packed = (!in_place).then(|| {
        let planes = batch * groups * channels;
        let mut packed = Scratch::new(planes * plan.packing.plane());
        pack(input.x, geometry.input, &plan.packing, None, &mut packed);
        packed
    });
    let inputs = Planes {
        values: packed.as_deref().unwrap_or(input.x),
        channels: groups * channels,
        plane: plan.packing.plane(),
        pitch: plan.packing.pitch,
    };
    let gradients = Planes {
        values: input.gradient,
        channels: groups * rows,
        plane: area_out,
        pitch: out_width,
    };

    let positions = (COLUMN_ELEMENTS / (groups * depth)).max(1);
    // Whole images where they are small, else rows of one image.
    let images_at_once = (positions / area_out).clamp(1, batch);
    let rows_at_once = if positions >= area_out {
        out_height
    } else {
        (positions / out_width).max(1)
    };
    for first_image in (0..batch).step_by(images_at_once) {
        let images = first_image..(first_image + images_at_once).min(batch);
        for first_row in (0..out_height).step_by(rows_at_once) {
            let lines = first_row..(first_row + rows_at_once).min(out_height);
            let count = images.len() * lines.len() * out_width;
            let line = spread(count);
            let mut columns = Scratch::new(groups * depth * line);
            inputs.gather(
                &offsets,
                images.clone(),
                lines.clone(),
                out_width,
                line,
                &mut columns,
            );
            let mut outputs = Scratch::new(groups * rows * line);
            gradients.gather(&[0], images.clone(), lines, out_width, line, &mut outputs);
            let product = Product {
                groups,
                rows,
                depth,
                count,
                line,
            };
            product.add_to(&mut result, &outputs, &columns);
        }
    }
    result
}

/// For each group, `[rows, count]` times the transpose of `[depth, count]`, both with `line` elements from one row to the next.
struct Product {
    groups: usize,
    rows: usize,
    depth: usize,
    count: usize,
    line: usize,
}

impl Product {
    fn add_to(&self, result: &mut [f32], gradient: &[f32], columns: &[f32]) {
        let Self {
            groups,
            rows,
            depth,
            count,
            line,
        } = *self;
        assert!(
            result.len() == groups * rows * depth
                && gradient.len() == groups * rows * line
                && columns.len() == groups * depth * line,
            "matrices of a weight gradient"
        );
        let threads = threads::threads_for(groups * rows * depth * count / MAX_LANES);
        let shared = Shared::new(result);
        threads::run(threads, groups, |group| {
            // SAFETY: each group belongs to one task.
            let result = unsafe { shared.slice(group * rows * depth, rows * depth) };
            let gradient = &gradient[group * rows * line..][..rows * line];
            let columns = &columns[group * depth * line..][..depth * line];
            // SAFETY: the three matrices lie inside their slices, as asserted above, and the result overlaps neither operand.
            unsafe {
                gemm(
                    rows,
                    depth,
                    count,
                    result.as_mut_ptr(),
                    1,
                    depth as isize,
                    true,
                    gradient.as_ptr(),
                    1,
                    line as isize,
                    columns.as_ptr(),
                    line as isize,
                    1,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        });
    }
}
