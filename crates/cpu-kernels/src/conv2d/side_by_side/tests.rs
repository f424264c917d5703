use super::super::fixture::{Case, Window};
use super::super::microkernel::Microkernels;
use super::SideBySide;

/// The same sums in the same order, but for products with zeros.
fn assert_equals_along_rows(what: &str, case: &Case) {
    for (name, set) in Microkernels::available() {
        let along_rows = case.along_rows(set);
        let beside = case.run(|plan, operands, out| {
            SideBySide::of(set, plan, operands).correlate(set, operands, out);
        });
        assert!(beside == along_rows, "{name}: {what}");
    }
}

#[test]
fn equals_the_correlation_along_rows() {
    // Full and partial blocks of images, row blocks that end early, single positions and several to a tile, kernels
    // larger than planes.
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
                    let window = Window { stride, padding };
                    let what = format!("{shape:?}, kernel {kernel:?}, {window:?}");
                    let fits = |axis: usize| shape[4 + axis] + 2 * padding[axis] >= kernel[axis];
                    if fits(0) && fits(1) {
                        let case = Case::convolution(shape, kernel, window);
                        assert_equals_along_rows(&what, &case);
                    }
                    let grows = |axis: usize| {
                        (shape[4 + axis] - 1) * stride[axis] + kernel[axis] > 2 * padding[axis]
                    };
                    if grows(0) && grows(1) {
                        let more = stride.map(|stride| stride - 1);
                        let case = Case::adjoint(shape, kernel, window, more);
                        assert_equals_along_rows(&format!("adjoint, {what}"), &case);
                    }
                }
            }
        }
    }
}

#[test]
fn positions_without_taps_are_biases() {
    // More of them on end than the input has elements: between the reach of a small image in wide padding, and between
    // the outputs of a stride.
    let padded = Window::padded([6, 6]);
    let case = Case::convolution([16, 1, 1, 4, 1, 1], [5, 5], padded);
    assert_equals_along_rows("an image of one pixel", &case);
    let strided = Window {
        stride: [2, 1],
        padding: [0, 0],
    };
    let case = Case::adjoint([16, 1, 1, 4, 2, 1], [1, 9], strided, [0, 0]);
    assert_equals_along_rows("a row in between", &case);
}

#[test]
fn factors_and_biases_may_be_absent() {
    let window = Window::padded([1, 1]);
    let case = Case::convolution([16, 1, 5, 9, 4, 4], [3, 3], window).bare();
    assert_equals_along_rows("without factors", &case);
}

#[test]
fn threads_share_the_planes() {
    // Enough planes for several threads to put them side by side.
    let window = Window::padded([2, 2]);
    let case = Case::convolution([16, 1, 256, 16, 8, 8], [5, 5], window);
    assert_equals_along_rows("256 planes", &case);
}
