use std::mem::MaybeUninit;

use super::channels::Channels;
use super::columns::{flat_positions, is_gathered};
use super::microkernel::Microkernels;
use super::operands::Operands;
use super::pack::pack;
use super::packed_weights::PackedWeights;
use super::plan::Plan;
use super::positions::MAX_POSITIONS;
use super::side_by_side::SideBySide;
use super::sweep::run_pass;
use super::winograd::{Bands, Squares};
use crate::initialized::written_by;
use crate::scratch::Scratch;
use crate::threads::{self, Shared};

/// Images for each thread from which on a task is an image: with fewer the threads would wait for each other.
const IMAGES_PER_THREAD: usize = 2;

/// Cross-correlation, `[N, G OC, OH, OW]`.
///
/// # Panics
/// When an operand does not have the sizes that it says, or one of them is zero.
pub fn correlate(operands: &Operands<'_>) -> Vec<f32> {
    operands.geometry.check();
    run(&Plan::convolution(operands.geometry), operands)
}

/// The adjoint of [`correlate`] in its input: a transposed convolution, `[N, G OC, OH, OW]`.
///
/// The input is what [`correlate`] gives, and the output what it takes: `geometry.output` may have rows and columns
/// behind those that the input reaches, which a stride has skipped.
///
/// # Panics
/// As for [`correlate`].
pub fn correlate_adjoint(operands: &Operands<'_>) -> Vec<f32> {
    operands.geometry.check();
    run(&Plan::adjoint(operands.geometry), operands)
}

fn run(plan: &Plan, operands: &Operands<'_>) -> Vec<f32> {
    // SAFETY: the passes of a plan have all outputs between them, and each form writes all outputs of a pass.
    unsafe {
        written_by(operands.outputs(), |out| {
            correlate_with(Microkernels::detect(), plan, operands, out);
        })
    }
}

/// Carries out `plan` and writes all of `out`.
fn correlate_with(
    kernels: Microkernels,
    plan: &Plan,
    operands: &Operands<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    operands.check(out.len());
    if let Some(squares) = Squares::worthwhile(kernels, plan, operands) {
        squares.correlate(kernels, operands, out);
        return;
    }
    if let Some(bands) = Bands::worthwhile(kernels, plan, operands) {
        bands.correlate(kernels, operands, out);
        return;
    }
    if let Some(images) = SideBySide::worthwhile(kernels, plan, operands) {
        images.correlate(kernels, operands, out);
        return;
    }
    if let Some(channels) = Channels::worthwhile(kernels, plan, operands) {
        channels.correlate(kernels, plan, operands, out);
        return;
    }
    let n = operands.n;
    let weights = PackedWeights::new(kernels, plan, operands);
    let work = plan.passes.iter().map(|pass| {
        let vectors = (pass.grid[0] * pass.grid[1]).div_ceil(kernels.lanes);
        pass.taps.len() * vectors
    });
    let work = work.sum::<usize>() * n * operands.groups * operands.ic * operands.oc;
    let threads = threads::threads_for(work);
    let gathers = |pass| is_gathered(kernels, &plan.packing, pass, operands);
    if n >= threads * IMAGES_PER_THREAD && n > 1 && !plan.passes.iter().any(gathers) {
        // An image that has just been packed is still in the thread's second-level cache when its tiles are computed.
        let out_image = out.len() / n;
        let shared = Shared::new(out);
        threads::run(threads, n, |image| {
            // SAFETY: each image belongs to one task and lies inside the output.
            let out = unsafe { shared.slice(image * out_image, out_image) };
            correlate_packed(kernels, plan, &operands.image(image), &weights, out);
        });
    } else {
        correlate_packed(kernels, plan, operands, &weights, out);
    }
}

/// Packs all images that `operands` has and runs the passes over them.
pub(super) fn correlate_packed(
    kernels: Microkernels,
    plan: &Plan,
    operands: &Operands<'_>,
    weights: &PackedWeights,
    out: &mut [MaybeUninit<f32>],
) {
    let [ih, iw] = operands.geometry.input;
    // Without packing there is no room behind the last position, so that a tile must fit before it.
    let in_place = operands.input_scale.is_none()
        && plan.packing.is_identity([ih, iw])
        && plan
            .passes
            .iter()
            .all(|pass| flat_positions(&plan.packing, pass) >= MAX_POSITIONS);
    let packed = (!in_place).then(|| {
        let planes = operands.n * operands.groups * operands.ic;
        let mut packed = Scratch::new(planes * plan.packing.plane() + MAX_POSITIONS);
        pack(
            operands.x,
            [ih, iw],
            &plan.packing,
            operands.input_scale,
            &mut packed,
        );
        packed
    });
    let x = packed.as_deref().unwrap_or(operands.x);
    for (index, pass) in plan.passes.iter().enumerate() {
        let weights = weights.pass(index);
        run_pass(kernels, &plan.packing, pass, operands, x, weights, out);
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use testkit::assert_close;

    use super::super::fixture::{Case, Window};
    use super::super::microkernel::MAX_OC;
    use super::{Microkernels, SideBySide, correlate_with};

    /// One rounding more or less for each of a few hundred sums: fused and separate multiply-adds differ.
    const ROUNDING: f64 = 2e-6;

    fn case([n, channels, rows, ih, iw]: [usize; 5], kernel: usize) -> Case {
        Case::convolution(
            [n, 1, channels, rows, ih, iw],
            [kernel; 2],
            Window::padded([kernel / 2; 2]),
        )
    }

    fn assert_each_image_is_as_if_alone(name: &str, set: Microkernels, case: &Case, n: usize) {
        let together = case.run(|plan, operands, out| correlate_with(set, plan, operands, out));
        let alone: Vec<f32> = (0..n)
            .flat_map(|image| {
                case.image(image)
                    .run(|plan, operands, out| correlate_with(set, plan, operands, out))
            })
            .collect();
        assert!(together == alone, "{name}");
    }

    #[test]
    fn each_image_is_as_if_alone() {
        const BATCH: usize = 4;
        for (name, set) in Microkernels::available() {
            // None is worth a column matrix, in which images share tiles; the larger ones are worth several threads,
            // and the largest is cut into parts of an image.
            for (channels, size, kernel) in [(3, 23, 5), (3, 23, 3), (24, 64, 5), (64, 64, 3)] {
                let case = case([BATCH, channels, 9, size, size], kernel);
                let what = format!("{name}: {channels} channels of {size}x{size}, kernel {kernel}");
                assert_each_image_is_as_if_alone(&what, set, &case, BATCH);
            }
        }
    }

    #[test]
    fn each_small_image_is_as_if_alone() {
        const BATCH: usize = 16;
        // As many tasks as threads, also where the images are one block.
        let rows = MAX_OC * rayon::current_num_threads().max(5);
        for (name, set) in Microkernels::available() {
            for (channels, size, kernel) in [(40, 3, 3), (24, 7, 5), (64, 4, 3)] {
                let case = case([BATCH, channels, rows, size, size], kernel);
                let what = format!("{name}: {channels} channels of {size}x{size}, kernel {kernel}");
                case.run(|plan, operands, out| {
                    let beside = SideBySide::worthwhile(set, plan, operands);
                    assert!(beside.is_some(), "{what} is worth vectors of images");
                    correlate_with(set, plan, operands, out);
                });
                assert_each_image_is_as_if_alone(&what, set, &case, BATCH);
            }
        }
    }

    #[test]
    fn every_instruction_set_computes_the_same() {
        let mut sets = Microkernels::available().into_iter();
        let (_, portable) = sets.next().expect("the portable set is always there");
        for (name, set) in sets {
            for rows in 1..=9 {
                for (ih, iw) in [(1, 1), (4, 4), (5, 9), (8, 8), (23, 17)] {
                    for kernel in [1, 3] {
                        let case = case([3, 5, rows, ih, iw], kernel);
                        let results = [set, portable].map(|set| {
                            case.run(|plan, operands, out| {
                                correlate_with(set, plan, operands, out);
                            })
                        });
                        let what = format!("{name}: {rows} rows of {ih}x{iw}, kernel {kernel}");
                        assert_close(&what, &results[0], &results[1], ROUNDING);
                    }
                }
            }
        }
    }
}
