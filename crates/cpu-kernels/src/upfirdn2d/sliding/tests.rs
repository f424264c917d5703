use super::*;
use crate::upfirdn2d::upfirdn2d;

const COLUMN: [f32; TAPS] = [0.5, 1.5, -2.0, 0.25];
const ROW: [f32; TAPS] = [1.0, -0.75, 3.0, 0.125];

fn resampling(input: [usize; 2], before: [isize; 2], after: [isize; 2]) -> Resampling<'static> {
    let output = [0, 1]
        .map(|axis| (input[axis] as isize + before[axis] + after[axis]) as usize - (TAPS - 1));
    Resampling {
        input,
        output,
        up: [1; 2],
        down: [1; 2],
        before,
        taps: Taps::Separable {
            column: &COLUMN,
            row: &ROW,
        },
    }
}

/// Small whole numbers, whose sums of products with the taps are exact in any order.
fn pixels(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7 % 23) as f32 - 9.0).collect()
}

/// By the definition.
fn expected(x: &[f32], resampling: &Resampling<'_>) -> Vec<f32> {
    let [height, width] = resampling.input;
    let mut out = Vec::new();
    for plane in x.chunks_exact(height * width) {
        for y in 0..resampling.output[0] {
            for column in 0..resampling.output[1] {
                let mut sum = 0.0;
                for (ky, vertical) in COLUMN.iter().enumerate() {
                    for (kx, horizontal) in ROW.iter().enumerate() {
                        let row = (y + ky).wrapping_add_signed(-resampling.before[0]);
                        let at = (column + kx).wrapping_add_signed(-resampling.before[1]);
                        if row < height && at < width {
                            sum += vertical * horizontal * plane[row * width + at];
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

/// All rows at once, and in pieces that begin and end anywhere.
fn written(x: &[f32], resampling: &Resampling<'_>, sliding: &Sliding, piece: usize) -> Vec<f32> {
    let [height, width] = resampling.output;
    let planes = x.len() / (resampling.input[0] * resampling.input[1]);
    let mut out = vec![MaybeUninit::new(f32::NAN); planes * height * width];
    for (index, slots) in out.chunks_mut(piece * width).enumerate() {
        sliding.write(x, index * piece, slots);
    }
    // SAFETY: all slots had a value from the start.
    out.iter()
        .map(|slot| unsafe { slot.assume_init() })
        .collect()
}

#[test]
fn every_set_computes_the_definition() {
    // Widths around whole vectors and halves of them; the planes of the last one take several bands.
    let sizes = [
        [5, 8],
        [4, 9],
        [7, 13],
        [3, 16],
        [6, 17],
        [9, 24],
        [8, 33],
        [5, 64],
        [40, 300],
    ];
    for input in sizes {
        for (before, after) in [
            ([1, 1], [2, 2]),
            ([2, 2], [1, 1]),
            ([2, 2], [2, 2]),
            ([0, 5], [6, 0]),
            ([-1, -2], [4, 5]),
            ([4, 18], [4, 1]),
        ] {
            let resampling = resampling(input, before, after);
            let x = pixels(2 * input[0] * input[1]);
            let expected = expected(&x, &resampling);
            assert_eq!(upfirdn2d(&x, &resampling), expected, "{resampling:?}");
            for set in InstructionSet::available() {
                let Some(sliding) = Sliding::of(&resampling, set) else {
                    continue;
                };
                for piece in [1, 3, expected.len()] {
                    let found = written(&x, &resampling, &sliding, piece);
                    assert_eq!(found, expected, "{resampling:?} in pieces of {piece}");
                }
            }
        }
    }
}

/// Padding is no neighbor in memory, nor a product with one.
#[test]
fn pixels_of_other_rows_and_planes_do_not_reach_an_output() {
    let resampling = resampling([6, 16], [2, 2], [2, 2]);
    for set in InstructionSet::available() {
        let Some(sliding) = Sliding::of(&resampling, set) else {
            continue;
        };
        let mut x = pixels(3 * 6 * 16);
        let clean = written(&x, &resampling, &sliding, 100);
        // The last pixel of a row in the middle plane.
        x[6 * 16 + 2 * 16 + 15] = f32::NAN;
        let found = written(&x, &resampling, &sliding, 100);
        let [height, width] = resampling.output;
        for (at, (found, clean)) in found.iter().zip(&clean).enumerate() {
            let (plane, y, x) = (at / (height * width), at / width % height, at % width);
            let is_reached = plane == 1 && (1..=4).contains(&y) && x >= width - 3;
            assert_eq!(
                found.is_nan(),
                is_reached,
                "plane {plane}, row {y}, column {x}"
            );
            assert!(is_reached || found == clean);
        }
    }
}

#[test]
fn other_rates_taps_and_narrow_rows_have_another_form() {
    let fits = resampling([8, 8], [1, 1], [2, 2]);
    let narrow = resampling([8, 6], [1, 1], [2, 2]);
    let mut faster = fits;
    faster.up = [2, 1];
    let mut fewer = fits;
    fewer.taps = Taps::Separable {
        column: &COLUMN[..3],
        row: &ROW,
    };
    let mut dense = fits;
    dense.taps = Taps::Dense {
        width: 4,
        taps: &[1.0; 16],
    };
    for set in InstructionSet::available() {
        for other in [&narrow, &faster, &fewer, &dense] {
            assert!(Sliding::of(other, set).is_none());
        }
    }
}
