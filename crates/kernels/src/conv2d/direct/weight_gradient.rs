use gemm::{Parallelism, gemm};

use super::pack::{Planes, pack, spread};
use super::plan::{Extent, Plan};
use super::scratch::Scratch;
use super::threads;
use crate::Conv2d;

/// Elements of the column matrix in hand: 4 MiB, so that it is still in cache when it is multiplied.
const COLUMN_ELEMENTS: usize = 1 << 20;

/// What a weight gradient is computed from.
#[derive(Clone, Copy, Debug)]
pub(in crate::conv2d) struct WeightGradient<'a> {
    /// Input of the cross-correlation, `[batch, groups channels, height, width]`.
    pub x: &'a [f32],
    /// Gradient of its output, `[batch, groups rows, height, width]`.
    pub gradient: &'a [f32],
    /// Factor on each input plane, `[batch, groups channels]`.
    pub input_scale: Option<&'a [f32]>,
    /// Images.
    pub batch: usize,
    /// Channel groups.
    pub groups: usize,
    /// Input channels of a group.
    pub channels: usize,
    /// Output channels of a group.
    pub rows: usize,
    /// Sizes of planes and kernel.
    pub extent: Extent,
}

/// Gradient of a cross-correlation in its weight, `[groups rows, channels, kh, kw]`.
///
/// One matrix product for each group, gradient times the transposed column matrix, in pieces of [`COLUMN_ELEMENTS`].
pub(in crate::conv2d) fn weight_gradient(input: &WeightGradient<'_>, options: Conv2d) -> Vec<f32> {
    let WeightGradient {
        batch,
        groups,
        channels,
        rows,
        extent,
        ..
    } = *input;
    let [out_height, out_width] = extent.output;
    let area_out = out_height * out_width;
    let area_in = extent.input[0] * extent.input[1];
    let plan = Plan::convolution(extent, options);
    let offsets: Vec<usize> = plan.passes[0].taps.iter().map(|tap| tap.offset).collect();
    let depth = channels * offsets.len();
    let mut result = vec![0.0; groups * rows * depth];

    let in_place = input.input_scale.is_none() && plan.packing.is_identity(extent.input);
    let packed = (!in_place).then(|| {
        let planes = batch * groups * channels;
        let mut packed = Scratch::new(planes * plan.packing.plane());
        pack(
            input.x,
            extent.input,
            &plan.packing,
            input.input_scale,
            &mut packed,
        );
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

    if in_place && offsets.len() == 1 && batch == 1 {
        // A 1x1 kernel on one image: both matrices lie there already.
        let product = Product {
            groups,
            rows,
            depth,
            count: area_out,
            line: area_out,
        };
        product.add_to(&mut result, input.gradient, input.x);
        debug_assert_eq!(area_in, area_out);
        return result;
    }

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
        let work = rows * depth * count / super::microkernel::MAX_LANES;
        let parallelism = match threads::threads_for(work) {
            1 => Parallelism::None,
            threads => Parallelism::Rayon(threads),
        };
        for group in 0..groups {
            // SAFETY: the three matrices lie inside their slices, as asserted above, and the result overlaps neither operand.
            unsafe {
                gemm(
                    rows,
                    depth,
                    count,
                    result.as_mut_ptr().add(group * rows * depth),
                    1,
                    depth as isize,
                    true,
                    gradient.as_ptr().add(group * rows * line),
                    1,
                    line as isize,
                    columns.as_ptr().add(group * depth * line),
                    line as isize,
                    1,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    parallelism,
                );
            }
        }
    }
}
