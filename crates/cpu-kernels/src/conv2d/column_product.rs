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

/// Channels of a group below which vectors of channels would be mostly empty, as in a depthwise convolution or next to
/// an image.
const NARROW: usize = 4;

/// Whether the groups are so narrow on either side that this path is the better one.
pub(super) fn is_narrow(input: &WeightGradient<'_>) -> bool {
    input.ic.min(input.oc) < NARROW
}

/// Gradient of a cross-correlation in its weight, `[G OC, IC, KH, KW]`.
///
/// One matrix product for each group, gradient times the transposed column matrix, in pieces of [`COLUMN_ELEMENTS`].
pub(super) fn weight_gradient(input: &WeightGradient<'_>) -> Vec<f32> {
    let WeightGradient {
        n,
        groups,
        ic,
        oc,
        geometry,
        ..
    } = *input;
    let [oh, ow] = geometry.output;
    let area_out = oh * ow;
    let plan = Plan::convolution(geometry);
    let offsets: Vec<usize> = plan.passes[0].taps.iter().map(|tap| tap.offset).collect();
    let depth = ic * offsets.len();
    let mut result = vec![0.0; groups * oc * depth];

    let in_place = plan.packing.is_identity(geometry.input);
    let packed = (!in_place).then(|| {
        let planes = n * groups * ic;
        let mut packed = Scratch::new(planes * plan.packing.plane());
        pack(input.x, geometry.input, &plan.packing, None, &mut packed);
        packed
    });
    let inputs = Planes {
        values: packed.as_deref().unwrap_or(input.x),
        channels: groups * ic,
        plane: plan.packing.plane(),
        pitch: plan.packing.pitch,
    };
    let gradients = Planes {
        values: input.gradient,
        channels: groups * oc,
        plane: area_out,
        pitch: ow,
    };

    let positions = (COLUMN_ELEMENTS / (groups * depth)).max(1);
    // Whole images where they are small, else rows of one image.
    let images_at_once = (positions / area_out).clamp(1, n);
    let rows_at_once = if positions >= area_out {
        oh
    } else {
        (positions / ow).max(1)
    };
    for first_image in (0..n).step_by(images_at_once) {
        let images = first_image..(first_image + images_at_once).min(n);
        for first_row in (0..oh).step_by(rows_at_once) {
            let lines = first_row..(first_row + rows_at_once).min(oh);
            let count = images.len() * lines.len() * ow;
            let line = spread(count);
            let mut columns = Scratch::new(groups * depth * line);
            inputs.gather(
                &offsets,
                images.clone(),
                lines.clone(),
                ow,
                line,
                &mut columns,
            );
            let mut outputs = Scratch::new(groups * oc * line);
            gradients.gather(&[0], images.clone(), lines, ow, line, &mut outputs);
            let product = Product {
                groups,
                m: oc,
                n: depth,
                k: count,
                line,
            };
            product.add_to(&mut result, &outputs, &columns);
        }
    }
    result
}

/// For each group, a product of `[M, K]` and the transpose of `[N, K]`, both with `line` elements from one row to the
/// next.
struct Product {
    groups: usize,
    m: usize,
    n: usize,
    k: usize,
    line: usize,
}

impl Product {
    fn add_to(&self, result: &mut [f32], gradient: &[f32], columns: &[f32]) {
        let Self {
            groups,
            m,
            n,
            k,
            line,
        } = *self;
        assert!(
            k <= line
                && result.len() == groups * m * n
                && gradient.len() == groups * m * line
                && columns.len() == groups * n * line,
            "matrices of a weight gradient"
        );
        let threads = threads::threads_for(groups * m * n * k / MAX_LANES);
        let shared = Shared::new(result);
        threads::run(threads, groups, |group| {
            // SAFETY: each group belongs to one task.
            let result = unsafe { shared.slice(group * m * n, m * n) };
            let gradient = &gradient[group * m * line..][..m * line];
            let columns = &columns[group * n * line..][..n * line];
            // SAFETY: the three matrices lie inside their slices, as asserted above, and the result overlaps neither
            // operand.
            unsafe {
                gemm(
                    m,
                    n,
                    k,
                    result.as_mut_ptr(),
                    1,
                    n as isize,
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
