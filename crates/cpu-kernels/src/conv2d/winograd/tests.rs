use testkit::{assert_close, seeded};

use super::super::fixture::{Case, Window};
use super::super::geometry::Geometry;
use super::super::microkernel::Microkernels;
use super::super::weight_gradient::{WeightGradient, with_all_products};
use super::{Bands, SquareSums, Squares};

/// Sums of up to two thousand products, of which each form's errors are as large as the direct sum's, or up to twice as
/// large.
const ROUNDING: f64 = 2e-6;

/// Of the largest output, for sums of 4608 products: 1.4 times what was found along two axes. The direct sum has about
/// half of it.
const ROUNDING_OF_WIDE_LAYERS: f64 = 5e-6;

const FORM: &str = "a 3x3 correlation of stride 1";

fn along_one_axis(set: Microkernels, case: &Case) -> Vec<f32> {
    case.run(|plan, operands, out| {
        let bands = Bands::of(plan, operands).expect(FORM);
        bands.correlate(set, operands, out);
    })
}

fn along_two_axes(set: Microkernels, case: &Case) -> Vec<f32> {
    case.run(|plan, operands, out| {
        let squares = Squares::of(plan, operands).expect(FORM);
        squares.correlate(set, operands, out);
    })
}

fn assert_equals_direct(what: &str, case: &Case) {
    for (name, set) in Microkernels::available() {
        let direct = case.along_rows(set);
        let banded = along_one_axis(set, case);
        assert_close(
            &format!("{name}, one axis: {what}"),
            &banded,
            &direct,
            ROUNDING,
        );
        let squared = along_two_axes(set, case);
        assert_close(
            &format!("{name}, two axes: {what}"),
            &squared,
            &direct,
            ROUNDING,
        );
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
    // Whole and partial bands and squares, rows shorter and longer than a vector, row blocks that end early, one image
    // and several, an image whose bands are several tasks, and images that share panels, as their weights are more than
    // they are.
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
fn squares_equal_the_direct_correlation_in_parts() {
    // Weights of some output channels at a time, of groups, and for several parts of an image with a last panel that is
    // narrower; some images, and some rows of an image.
    for shape in [
        [2, 1, 200, 96, 9, 7],
        [1, 1, 208, 100, 78, 75],
        [1, 2, 200, 48, 6, 5],
        [5, 1, 160, 3, 26, 27],
        [1, 2, 80, 2, 66, 65],
    ] {
        let case = Case::convolution(shape, [3, 3], Window::padded([1, 1]));
        for (name, set) in Microkernels::available() {
            let direct = case.along_rows(set);
            let squared = along_two_axes(set, &case);
            let what = format!("{name}: {shape:?}");
            assert_close(&what, &squared, &direct, ROUNDING);
        }
    }
}

#[test]
fn squares_of_each_image_are_as_if_alone() {
    const BATCH: usize = 5;
    // Squares that fill no vectors, and images that are two parts of the batch.
    for [ic, size] in [[7, 9], [160, 26]] {
        let case = Case::convolution(
            [BATCH, 1, ic, 5, size, size],
            [3, 3],
            Window::padded([1, 1]),
        );
        for (name, set) in Microkernels::available() {
            let together = along_two_axes(set, &case);
            let images = (0..BATCH).flat_map(|image| along_two_axes(set, &case.image(image)));
            assert!(
                together == images.collect::<Vec<_>>(),
                "{name}: {ic} channels of {size}x{size}"
            );
        }
    }
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there is one thread")]
fn threads_change_nothing() {
    let case = Case::convolution([1, 1, 70, 40, 50, 50], [3, 3], Window::padded([1, 1]));
    for (name, set) in Microkernels::available() {
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().expect("a pool of threads");
            pool.install(|| [along_one_axis(set, &case), along_two_axes(set, &case)])
        });
        assert!(one == three, "{name}");
    }
}

#[test]
fn rounding_errors_of_wide_layers_stay_small() {
    const SIZE: usize = 12;
    const OC: usize = 3;
    let case = Case::convolution([1, 1, 512, OC, SIZE, SIZE], [3, 3], Window::padded([1, 1]));
    let case = case.bare();
    let mut exact = Vec::new();
    case.run(|_, operands, _| {
        for (o, y, x) in
            (0..OC * SIZE * SIZE).map(|at| (at / SIZE / SIZE, at / SIZE % SIZE, at % SIZE))
        {
            let mut sum = 0.0;
            for (channel, plane) in operands.x.chunks_exact(SIZE * SIZE).enumerate() {
                let kernel = &operands.weight.values[(o * operands.ic + channel) * 9..][..9];
                for (tap, weight) in kernel.iter().enumerate() {
                    // One more than the place, as the padding is one.
                    let (row, column) = (y + tap / 3, x + tap % 3);
                    if (1..=SIZE).contains(&row) && (1..=SIZE).contains(&column) {
                        let value = plane[(row - 1) * SIZE + column - 1];
                        sum += f64::from(value) * f64::from(*weight);
                    }
                }
            }
            exact.push(sum);
        }
    });
    let largest = exact
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    for (name, set) in Microkernels::available() {
        for (form, outputs) in [
            ("one axis", along_one_axis(set, &case)),
            ("two axes", along_two_axes(set, &case)),
        ] {
            let errors = outputs.iter().zip(&exact);
            let errors = errors.map(|(output, exact)| (f64::from(*output) - exact).abs());
            let error = errors.fold(0.0, f64::max) / largest;
            assert!(error < ROUNDING_OF_WIDE_LAYERS, "{name}, {form}: {error:e}");
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

#[test]
fn wide_layers_are_worth_two_axes() {
    for (name, set) in Microkernels::available() {
        let takes = |n: usize, channels: usize, size: usize| {
            let shape = [n, 1, channels, channels, size, size];
            let mut taken = false;
            Case::convolution(shape, [3, 3], Window::padded([1, 1])).run(|plan, operands, _| {
                taken = Squares::worthwhile(set, plan, operands).is_some();
            });
            taken
        };
        let in_browser = cfg!(target_family = "wasm");
        for (channels, size) in [(64, 32), (64, 128), (128, 8), (256, 32), (512, 8)] {
            let taken = takes(1, channels, size);
            assert_eq!(taken, !in_browser, "{name}: {channels} of {size}");
        }
        for (channels, size) in [(3, 64), (8, 64), (64, 4), (512, 4)] {
            // Also with images that would make the same matrices worthwhile.
            for n in [1, 16] {
                assert!(
                    !takes(n, channels, size),
                    "{name}: {n}, {channels} of {size}"
                );
            }
        }
    }
}

/// Of the largest element, for sums over up to thirty thousand positions: three times the largest difference that was found.
const ROUNDING_OF_GRADIENTS: f64 = 5e-6;

/// A gradient in the weights of a 3x3 correlation of stride 1.
struct Gradient {
    x: Vec<f32>,
    gradient: Vec<f32>,
    /// Batch, groups, channels and rows of a group, height and width of the input, padding.
    shape: [usize; 7],
}

impl Gradient {
    fn new(shape: [usize; 7]) -> Self {
        let [n, groups, ic, oc, ih, iw, padding] = shape;
        let [oh, ow] = [ih, iw].map(|size| size + 2 * padding - 2);
        Self {
            x: seeded("x", n * groups * ic * ih * iw, 1.0),
            gradient: seeded("gradient", n * groups * oc * oh * ow, 1.0),
            shape,
        }
    }

    fn input(&self) -> WeightGradient<'_> {
        let [n, groups, ic, oc, ih, iw, padding] = self.shape;
        WeightGradient {
            x: &self.x,
            gradient: &self.gradient,
            n,
            groups,
            ic,
            oc,
            geometry: Geometry {
                input: [ih, iw],
                kernel: [3, 3],
                output: [ih, iw].map(|size| size + 2 * padding - 2),
                stride: [1, 1],
                padding: [padding; 2],
            },
        }
    }

    fn in_squares(&self, set: Microkernels) -> Vec<f32> {
        SquareSums::of(&self.input()).expect(FORM).run(set)
    }
}

#[test]
fn square_sums_equal_the_gradient_with_all_products() {
    for shape in [
        // One part; several parts one after the other; parts that are shared out, also in groups.
        [2, 1, 37, 21, 9, 6, 1],
        [3, 1, 66, 50, 33, 27, 1],
        [9, 1, 16, 11, 62, 59, 0],
        [5, 3, 18, 20, 48, 45, 2],
        // Squares that begin in the padding and have no input of the image at all.
        [2, 1, 5, 4, 3, 2, 4],
    ] {
        let case = Gradient::new(shape);
        for (name, set) in Microkernels::available() {
            let all = with_all_products(set, &case.input());
            let squares = case.in_squares(set);
            let largest = all
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let errors = squares.iter().zip(&all).map(|(a, b)| (a - b).abs());
            let error = f64::from(errors.fold(0.0, f32::max) / largest);
            assert!(
                error < ROUNDING_OF_GRADIENTS,
                "{name}: {shape:?}: {error:e}"
            );
        }
    }
}

#[test]
#[cfg_attr(target_family = "wasm", ignore = "there is one thread")]
fn threads_change_no_gradient() {
    for shape in [[9, 1, 16, 11, 62, 59, 0], [2, 2, 70, 40, 20, 20, 1]] {
        let case = Gradient::new(shape);
        for (name, set) in Microkernels::available() {
            let [one, three] = [1, 3].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let pool = pool.build().expect("a pool of threads");
                pool.install(|| case.in_squares(set))
            });
            assert!(one == three, "{name}: {shape:?}");
        }
    }
}

#[test]
fn gradients_of_many_channels_and_squares_are_worth_squares() {
    for (name, set) in Microkernels::available() {
        let takes = |n: usize, channels: usize, size: usize| {
            let case = Gradient::new([n, 1, channels, channels, size, size, 1]);
            SquareSums::worthwhile(set, &case.input()).is_some()
        };
        let in_browser = cfg!(target_family = "wasm");
        for (n, channels, size) in [(8, 16, 64), (8, 128, 8), (8, 256, 4), (1, 64, 64)] {
            let taken = takes(n, channels, size);
            assert_eq!(taken, !in_browser, "{name}: {n}, {channels} of {size}");
        }
        for (n, channels, size) in [(8, 4, 64), (1, 256, 4), (4, 64, 2)] {
            let taken = takes(n, channels, size);
            assert!(!taken, "{name}: {n}, {channels} of {size}");
        }
    }
}
