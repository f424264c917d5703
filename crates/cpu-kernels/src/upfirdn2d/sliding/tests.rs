use super::*;
use crate::upfirdn2d::upfirdn2d;

const COLUMN: [f32; TAPS] = [0.5, 1.5, -2.0, 0.25];
const ROW: [f32; TAPS] = [1.0, -0.75, 3.0, 0.125];

/// Up- and downsampling factors.
const RATES: [[usize; 2]; 3] = [[1, 1], [1, 2], [2, 1]];

fn resampling(
    [up, down]: [usize; 2],
    input: [usize; 2],
    before: [isize; 2],
    after: [isize; 2],
) -> Resampling<'static> {
    let output = [0, 1].map(|axis| {
        let padded = (input[axis] * up) as isize + before[axis] + after[axis];
        (padded as usize - TAPS) / down + 1
    });
    Resampling {
        input,
        output,
        up: [up; 2],
        down: [down; 2],
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
    // The pixel that a tap of an output meets, where it is none of the padding's nor of the inserted zeros.
    let met = |axis: usize, output: usize, tap: usize| {
        let at =
            (output * resampling.down[axis] + tap).checked_add_signed(-resampling.before[axis])?;
        let up = resampling.up[axis];
        (at % up == 0 && at / up < resampling.input[axis]).then_some(at / up)
    };
    let mut out = Vec::new();
    for plane in x.chunks_exact(height * width) {
        for y in 0..resampling.output[0] {
            for column in 0..resampling.output[1] {
                let mut sum = 0.0;
                for (ky, vertical) in COLUMN.iter().enumerate() {
                    for (kx, horizontal) in ROW.iter().enumerate() {
                        if let (Some(row), Some(at)) = (met(0, y, ky), met(1, column, kx)) {
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
    let mut tried = [0; 3];
    for (rate, tried) in RATES.into_iter().zip(&mut tried) {
        for input in sizes {
            for (before, after) in [
                ([1, 1], [2, 2]),
                ([2, 2], [1, 1]),
                ([2, 2], [2, 2]),
                ([0, 5], [6, 0]),
                ([3, 0], [0, 4]),
                ([-1, -2], [4, 5]),
                ([4, 18], [4, 1]),
            ] {
                let resampling = resampling(rate, input, before, after);
                let x = pixels(2 * input[0] * input[1]);
                let expected = expected(&x, &resampling);
                assert_eq!(upfirdn2d(&x, &resampling), expected, "{resampling:?}");
                for set in InstructionSet::available() {
                    let Some(sliding) = Sliding::of(&resampling, set) else {
                        continue;
                    };
                    *tried += 1;
                    for piece in [1, 3, expected.len()] {
                        let found = written(&x, &resampling, &sliding, piece);
                        assert_eq!(found, expected, "{resampling:?} in pieces of {piece}");
                    }
                }
            }
        }
    }
    let has_form = InstructionSet::available()
        .any(|set| Sliding::of(&resampling(RATES[0], [8, 8], [1, 1], [2, 2]), set).is_some());
    assert!(
        tried.iter().all(|tried| (*tried > 0) == has_form),
        "{tried:?}"
    );
}

/// Padding is no neighbor in memory, nor a product with one.
#[test]
fn pixels_of_other_rows_and_planes_do_not_reach_an_output() {
    for rate in RATES {
        let resampling = resampling(rate, [6, 16], [2, 2], [2, 2]);
        for set in InstructionSet::available() {
            let Some(sliding) = Sliding::of(&resampling, set) else {
                continue;
            };
            let clean = pixels(3 * 6 * 16);
            let mut broken = clean.clone();
            // The last pixel of a row in the middle plane.
            broken[6 * 16 + 2 * 16 + 15] = f32::NAN;
            let reached: Vec<bool> = expected(&broken, &resampling)
                .iter()
                .map(|value| value.is_nan())
                .collect();
            assert!(reached.contains(&true) && reached.contains(&false));
            let [clean, broken] = [clean, broken].map(|x| written(&x, &resampling, &sliding, 100));
            for ((clean, broken), reached) in clean.iter().zip(&broken).zip(reached) {
                assert_eq!(broken.is_nan(), reached);
                assert!(reached || clean == broken);
            }
        }
    }
}

#[test]
fn other_rates_taps_and_narrow_rows_have_another_form() {
    let fits = resampling(RATES[0], [8, 8], [1, 1], [2, 2]);
    let narrow = resampling(RATES[0], [8, 6], [1, 1], [2, 2]);
    let narrow_double = resampling(RATES[2], [8, 7], [2, 2], [1, 1]);
    let odd_double = resampling(RATES[2], [8, 16], [2, 2], [2, 2]);
    let mut faster_down = fits;
    faster_down.up = [2, 1];
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
    let others = [narrow, narrow_double, odd_double, faster_down, fewer, dense];
    for set in InstructionSet::available() {
        for other in &others {
            assert!(Sliding::of(other, set).is_none(), "{other:?}");
        }
    }
}
