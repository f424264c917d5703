use std::ops::Range;

use super::super::operands::Operands;
use super::super::plan::Packing;
use super::super::positions::MAX_POSITIONS;
use super::lanes::{LANES, Lanes};
use super::{OUTPUTS, POINTS};
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Cost of a vector of one point, in vector multiply-adds.
const POINT_COST: usize = 4;

/// `B^T x` of `bands` of every plane, each plane times its factor: `[image, channel, point, band, column]`, with room behind the last for
/// the largest tile. Rows are laid out as `packing` has them.
pub(super) fn transformed(
    packing: &Packing,
    bands: Range<usize>,
    operands: &Operands<'_>,
) -> Scratch {
    let [ih, iw] = operands.geometry.input;
    let area = ih * iw;
    let planes = operands.n * operands.groups * operands.ic;
    let plane = POINTS * (bands.len() * packing.pitch + packing.tail);
    let mut to = Scratch::new(planes * plane + MAX_POSITIONS);
    let zeros = vec![0.0; iw];
    let shared = Shared::new(&mut to);
    let threads = threads::threads_for(planes * plane / LANES * POINT_COST);
    let tasks = planes.min(threads * TASKS_PER_THREAD);
    threads::run(threads, tasks, |task| {
        for index in task * planes / tasks..(task + 1) * planes / tasks {
            simd::run(Plane {
                packing,
                bands: bands.clone(),
                image: &operands.x[index * area..][..area],
                iw,
                zeros: &zeros,
                scale: operands.input_scale.map_or(1.0, |scales| scales[index]),
                // SAFETY: each plane belongs to one task and lies inside the buffer.
                to: unsafe { shared.slice(index * plane, plane) },
            });
        }
    });
    to
}

/// Transforms bands of one plane. Every element of `to` is written.
struct Plane<'a> {
    packing: &'a Packing,
    bands: Range<usize>,
    image: &'a [f32],
    iw: usize,
    /// A row outside the image.
    zeros: &'a [f32],
    scale: f32,
    to: &'a mut [f32],
}

impl Kernel for Plane<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            packing,
            image,
            iw,
            zeros,
            scale,
            to,
            ..
        } = self;
        let pitch = packing.pitch;
        let [above, left] = packing.before;
        // Behind its image a row ends where the next begins.
        let inside = iw.min(pitch - left);
        let ih = image.len() / iw;
        let point = to.len() / POINTS;
        // At once, because a call for the few elements at each edge costs more than they do.
        to.fill(0.0);
        for (index, band) in self.bands.enumerate() {
            let mut rows = [zeros; POINTS];
            for (row, line) in rows.iter_mut().enumerate() {
                let row_of_image = (band * OUTPUTS + row).checked_sub(above);
                if let Some(row) = row_of_image.filter(|row| *row < ih) {
                    *line = &image[row * iw..][..iw];
                }
            }
            let at = index * pitch + left;
            if inside < LANES {
                // Rows shorter than a vector go through copies with room behind them.
                let mut copies = [[0.0_f32; LANES]; POINTS];
                for (copy, row) in copies.iter_mut().zip(rows) {
                    copy[..inside].copy_from_slice(&row[..inside]);
                }
                let [a, b, c, d, e, f] = &copies;
                let sums = combined::<FUSED>([a, b, c, d, e, f], 0, scale);
                for (index, Lanes(sums)) in sums.iter().enumerate() {
                    to[index * point + at..][..inside].copy_from_slice(&sums[..inside]);
                }
                continue;
            }
            let mut done = 0;
            while done < inside {
                // The last vector moves back and computes some columns twice.
                let column = done.min(inside - LANES);
                let sums = combined::<FUSED>(rows, column, scale);
                for (index, Lanes(sums)) in sums.iter().enumerate() {
                    to[index * point + at + column..][..LANES].copy_from_slice(sums);
                }
                done = column + LANES;
            }
        }
    }
}

/// `B^T x` of a vector of each row, times a factor.
#[inline(always)]
fn combined<const FUSED: bool>(
    rows: [&[f32]; POINTS],
    column: usize,
    scale: f32,
) -> [Lanes; POINTS] {
    let [a, b, c, d, e, f] = rows;
    let a = Lanes::of(&a[column..]) * scale;
    let b = Lanes::of(&b[column..]) * scale;
    let c = Lanes::of(&c[column..]) * scale;
    let d = Lanes::of(&d[column..]) * scale;
    let e = Lanes::of(&e[column..]) * scale;
    let f = Lanes::of(&f[column..]) * scale;
    let even = c.multiply_add::<FUSED>(-4.0, e);
    let odd = b.multiply_add::<FUSED>(-4.0, d);
    let (inner, outer) = (e - c, (d - b) * 2.0);
    [
        (a - c).multiply_add::<FUSED>(4.0, inner),
        even + odd,
        even - odd,
        inner + outer,
        inner - outer,
        (b - d).multiply_add::<FUSED>(4.0, f - d),
    ]
}
