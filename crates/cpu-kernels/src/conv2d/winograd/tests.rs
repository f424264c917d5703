use testkit::assert_close;

use super::super::correlate::correlate_packed;
use super::super::fixture::{Case, Window};
use super::super::microkernel::Microkernels;
use super::super::packed_weights::PackedWeights;
use super::Bands;

/// Sums of a few hundred products; the matrices make rounding errors about three times as large as those of the direct sum.
const ROUNDING: f64 = 2e-6;

fn assert_equals_direct(what: &str, case: &Case) {
    for (name, set) in Microkernels::available() {
        let direct = case.run(|plan, operands, out| {
            let weights = PackedWeights::none(plan);
            correlate_packed(set, plan, operands, &weights, out);
        });
        let banded = case.run(|plan, operands, out| {
            Bands::of(plan, operands)
                .expect("a 3x3 correlation of stride 1")
                .correlate(set, operands, out);
        });
        assert_close(&format!("{name}: {what}"), &banded, &direct, ROUNDING);
    }
}

#[test]
fn rows_may_be_shorter_than_the_kernel() {
    for size in [[9, 1], [6, 2]] {
        let case = Case::convolution(
            [2, 1, 3, 5, size[0], size[1]],
            [3, 3],
            Window::padded([1, 1]),
        );
        assert_equals_direct(&format!("{size:?}"), &case);
    }
}

#[test]
fn equals_the_direct_correlation() {
    // Whole and partial bands, rows shorter and longer than a vector, row blocks that end early, one image and several, an image
    // whose bands are several tasks, and images that share panels, as their weights are more than they are.
    for shape in [
        [1, 1, 3, 3, 3, 3],
        [2, 1, 5, 9, 8, 7],
        [3, 1, 4, 8, 13, 16],
        [1, 1, 7, 17, 22, 33],
        [1, 1, 2, 5, 4, 70],
        [2, 3, 4, 5, 11, 12],
        [1, 1, 64, 12, 66, 64],
        [3, 1, 24, 464, 9, 7],
    ] {
        for padding in [[0, 0], [1, 1], [2, 2], [0, 2], [2, 1], [3, 1], [1, 3]] {
            let window = Window::padded(padding);
            let what = format!("{shape:?}, padding {padding:?}");
            assert_equals_direct(&what, &Case::convolution(shape, [3, 3], window));
        }
    }
}

#[test]
fn equals_the_direct_adjoint() {
    for shape in [
        [1, 1, 5, 9, 8, 7],
        [2, 1, 7, 17, 22, 33],
        [2, 2, 3, 4, 13, 16],
    ] {
        for padding in [[0, 0], [1, 1], [2, 2], [0, 1], [2, 0]] {
            let window = Window::padded(padding);
            let what = format!("adjoint of {shape:?}, padding {padding:?}");
            assert_equals_direct(&what, &Case::adjoint(shape, [3, 3], window, [0, 0]));
        }
    }
}

#[test]
fn other_forms_are_left_to_the_direct_correlation() {
    let takes = |kernel: [usize; 2], stride: [usize; 2]| {
        let window = Window {
            stride,
            padding: [1, 1],
        };
        let mut taken = false;
        Case::convolution([1, 1, 8, 8, 64, 64], kernel, window).run(|plan, operands, _| {
            taken = Bands::worthwhile(Microkernels::detect(), plan, operands).is_some();
        });
        taken
    };
    assert!(takes([3, 3], [1, 1]));
    for (kernel, stride) in [
        ([3, 3], [2, 2]),
        ([3, 3], [1, 2]),
        ([1, 1], [1, 1]),
        ([1, 9], [1, 1]),
        ([9, 1], [1, 1]),
        ([5, 5], [1, 1]),
    ] {
        assert!(!takes(kernel, stride), "{kernel:?}, stride {stride:?}");
    }
}
