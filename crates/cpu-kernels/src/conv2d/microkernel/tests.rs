use testkit::seeded;

use super::{
    InstructionSet, MAX_VECTORS, Microkernels, OuterInput, PanelInput, ROW_TAPS, TapOffset,
    TileInput,
};
use crate::simd::Width;

/// Input channels, or positions of a row.
const DEPTH: usize = 5;
/// Room behind the last position or row that belongs to a tile.
const BEHIND: usize = 7;

/// Calls `check` with every set, its name and whether its multiply-adds are fused.
fn with_each_set(check: impl Fn(&str, Microkernels, bool)) {
    for set in InstructionSet::available() {
        let name = format!("{:?}", set.width());
        check(&name, Microkernels::of(set), set.width() != Width::Portable);
    }
}

/// The sum of products from the first on, as a lane has it.
fn sum(fused: bool, products: impl Iterator<Item = (f32, f32)>) -> f32 {
    products.fold(0.0, |sum, (a, b)| {
        if fused {
            a.mul_add(b, sum)
        } else {
            sum + a * b
        }
    })
}

#[test]
fn every_tile_has_the_sums_of_single_elements() {
    with_each_set(|name, kernels, fused| {
        let x_ic = kernels.vectors * kernels.lanes + BEHIND;
        // Weights apart, as in a kernel that is large, and side by side.
        for w_oc in [DEPTH as isize * 2 + 3, 1] {
            let w_ic = if w_oc == 1 {
                kernels.oc as isize * 2
            } else {
                2
            };
            let taps = [(3, 1), (0, 0)].map(|(x, tap)| TapOffset {
                x,
                w: if w_oc == 1 {
                    tap * kernels.oc as isize
                } else {
                    tap
                },
            });
            let x = seeded("x", DEPTH * x_ic, 1.0);
            let weights = (DEPTH as isize * w_ic + kernels.oc as isize * w_oc) as usize;
            let w = seeded("w", weights, 1.0);
            let input = |out_oc| TileInput {
                x: x.as_ptr(),
                x_ic,
                w: w.as_ptr(),
                w_oc,
                w_ic,
                ic: DEPTH,
                taps: &taps,
                out_oc,
            };
            for oc in 1..=kernels.oc {
                for vectors in 1..=kernels.vectors {
                    let width = vectors * kernels.lanes;
                    let out_oc = width + 1;
                    let mut out = vec![f32::NAN; oc * out_oc];
                    // SAFETY: `x` has the positions and three more in each channel, `w` the weights, `out` the tile,
                    // and the set is available.
                    unsafe { kernels.tile(oc, vectors)(&input(out_oc), out.as_mut_ptr()) };
                    for (index, found) in out.iter().enumerate() {
                        let (o, position) = ((index / out_oc) as isize, index % out_oc);
                        if position == width {
                            assert!(found.is_nan(), "{name}: behind a row of {oc} x {vectors}");
                            continue;
                        }
                        let products = (0..DEPTH).flat_map(|i| {
                            let (x, w) = (&x, &w);
                            taps.iter().map(move |tap| {
                                let weight = o * w_oc + i as isize * w_ic + tap.w;
                                (x[i * x_ic + tap.x + position], w[weight as usize])
                            })
                        });
                        let expected = sum(fused, products);
                        assert_eq!(*found, expected, "{name}: {oc} x {vectors}, {w_oc}");
                    }
                }
            }
        }
    });
}

#[test]
fn every_panel_has_the_sums_of_single_elements() {
    with_each_set(|name, kernels, fused| {
        let x_ic = kernels.vectors * kernels.lanes + BEHIND;
        let x = seeded("x", DEPTH * x_ic, 1.0);
        let w = seeded("w", DEPTH * ROW_TAPS * kernels.oc, 1.0);
        for (taps, vectors) in [1, ROW_TAPS]
            .into_iter()
            .flat_map(|taps| (1..=kernels.vectors).map(move |vectors| (taps, vectors)))
        {
            let panel = if taps == 1 {
                kernels.product(vectors)
            } else {
                kernels.rows(vectors)
            };
            let width = vectors * kernels.lanes;
            let mut out = vec![f32::NAN; kernels.oc * width];
            // In two parts, the second of which goes on from the sums of the first.
            for (first, ic) in [(0, 2), (2, DEPTH - 2)] {
                let input = PanelInput {
                    x: x[first * x_ic..].as_ptr(),
                    x_ic,
                    w: w[first * taps * kernels.oc..].as_ptr(),
                    ic,
                    adds: first > 0,
                };
                // SAFETY: `x` has the positions and those behind them in each channel, `w` the weights, `out` the tile,
                // and the set is available.
                unsafe { panel(&input, out.as_mut_ptr()) };
            }
            for (index, found) in out.iter().enumerate() {
                let (o, position) = (index / width, index % width);
                let products = (0..DEPTH * taps).map(|product| {
                    let (i, tap) = (product / taps, product % taps);
                    (x[i * x_ic + tap + position], w[product * kernels.oc + o])
                });
                let expected = sum(fused, products);
                assert_eq!(*found, expected, "{name}: {taps} taps, {vectors} vectors");
            }
        }
    });
}

#[test]
fn every_outer_product_has_the_sums_of_single_elements() {
    const ROWS: usize = 3;
    const OH: usize = 2;
    with_each_set(|name, kernels, fused| {
        let lanes = kernels.lanes;
        // Two rows of an image and the first of the next, with gaps between positions, rows and images.
        let x_position = lanes + 1;
        let pitch = DEPTH * x_position + lanes;
        let image_skip = 3 * lanes;
        let row_at = |row: usize| row * pitch + row / OH * image_skip;
        let mut offsets = [0; MAX_VECTORS];
        for (v, offset) in offsets.iter_mut().enumerate() {
            *offset = v * 2 * lanes;
        }
        let reach = offsets[MAX_VECTORS - 1] + row_at(ROWS - 1) + DEPTH * x_position;
        let x = seeded("x", reach, 1.0);
        let gradient = seeded("gradient", ROWS * DEPTH * kernels.oc, 1.0);
        let input = |adds| OuterInput {
            x: x.as_ptr(),
            offsets,
            x_position,
            pitch,
            image_skip: image_skip as isize,
            gradient: gradient.as_ptr(),
            gradient_position: kernels.oc,
            ow: DEPTH,
            rows: ROWS,
            first_row: 0,
            oh: OH,
            adds,
        };
        for oc in 1..=kernels.oc {
            for (vectors, adds) in (1..=kernels.vectors).flat_map(|v| [(v, false), (v, true)]) {
                let before = seeded("sums", oc * vectors * lanes, 1.0);
                let mut out = before.clone();
                // SAFETY: `x` reaches to the last position of the last vector, `gradient` has all positions, `out` the
                // tile, and the set is available.
                unsafe { kernels.outer(oc, vectors)(&input(adds), out.as_mut_ptr()) };
                for (index, (found, before)) in out.iter().zip(before).enumerate() {
                    let (o, v) = (index / lanes / vectors, index / lanes % vectors);
                    let products = (0..ROWS * DEPTH).map(|position| {
                        let at = row_at(position / DEPTH) + position % DEPTH * x_position;
                        (
                            x[offsets[v] + at + index % lanes],
                            gradient[position * kernels.oc + o],
                        )
                    });
                    let sum = sum(fused, products);
                    let expected = if adds { before + sum } else { sum };
                    assert_eq!(*found, expected, "{name}: {oc} x {vectors}, adds: {adds}");
                }
            }
        }
    });
}
