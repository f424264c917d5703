use super::super::correlate::correlate_packed;
use super::super::fixture::Case;
use super::super::microkernel::Microkernels;
use super::SideBySide;
use crate::Conv2d;

/// The same sums in the same order, but for products with zeros.
fn assert_equals_along_rows(what: &str, case: &Case) {
    for (name, set) in Microkernels::available() {
        let along_rows = case.run(|plan, operands, out| correlate_packed(set, plan, operands, out));
        let beside = case.run(|plan, operands, out| {
            SideBySide::of(set, plan, operands).correlate(set, operands, out);
        });
        assert!(beside == along_rows, "{name}: {what}");
    }
}

#[test]
fn equals_the_correlation_along_rows() {
    // Full and partial blocks of images, row blocks that end early, single positions and several to a tile, kernels larger than planes.
    for shape in [
        [16, 1, 3, 9, 3, 3],
        [5, 1, 4, 8, 4, 6],
        [19, 1, 2, 5, 7, 7],
        [8, 3, 2, 3, 5, 4],
        [32, 1, 3, 17, 1, 9],
    ] {
        for kernel in [[1, 1], [3, 3], [5, 5], [2, 3]] {
            for stride in [[1, 1], [2, 2], [1, 2]] {
                for padding in [[0, 0], [1, 1], [2, 1]] {
                    let options = Conv2d {
                        stride,
                        padding,
                        groups: shape[1],
                    };
                    let what = format!("{shape:?}, kernel {kernel:?}, {options:?}");
                    let fits = |axis: usize| shape[4 + axis] + 2 * padding[axis] >= kernel[axis];
                    if fits(0) && fits(1) {
                        let case = Case::convolution(shape, kernel, options);
                        assert_equals_along_rows(&what, &case);
                    }
                    let grows = |axis: usize| {
                        (shape[4 + axis] - 1) * stride[axis] + kernel[axis] > 2 * padding[axis]
                    };
                    if grows(0) && grows(1) {
                        let case = Case::adjoint(shape, kernel, options);
                        assert_equals_along_rows(&format!("adjoint, {what}"), &case);
                    }
                }
            }
        }
    }
}
