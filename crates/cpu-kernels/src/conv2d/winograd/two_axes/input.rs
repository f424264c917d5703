use std::borrow::Borrow;

use super::super::lanes::{LANES, Lanes};
use super::super::matrices::{POINTS as SIDE, of_inputs};
use super::super::transformed_images::{Layout, Panels};
use super::part::{PIECE, Part};
use super::phases::Phases;
use super::{GAP, POINTS, Squares};
use crate::conv2d::operands::Operands;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Cost of a vector of one point, in vector multiply-adds, with its part of what it takes to take the plane apart.
const POINT_COST: usize = 16;

/// `B^T x B` of the squares of `part`, each plane times its factor.
pub(super) fn transformed(squares: &Squares, part: &Part, operands: &Operands<'_>) -> Panels {
    let [ih, iw] = operands.geometry.input;
    let Operands { n, groups, ic, .. } = *operands;
    let planes = n * groups * ic;
    let layout = Layout {
        blocks: part.blocks(),
        points: POINTS,
        ic,
        line: part.line,
        gap: GAP,
    };
    let mut values = Scratch::new(groups * layout.of_group());
    let shared = Shared::new(&mut values);
    let threads = threads::threads_for(planes * POINTS * part.image / LANES * POINT_COST);
    let tasks = planes.min(threads * TASKS_PER_THREAD);
    threads::run(threads, tasks, |task| {
        let mut phases = Phases::new(part);
        for index in task * planes / tasks..(task + 1) * planes / tasks {
            let plane = &operands.x[index * ih * iw..][..ih * iw];
            let scale = operands.input_scale.map_or(1.0, |scales| scales[index]);
            phases.fill(squares, part, plane, iw, scale);
            let (image, plane) = (index / (groups * ic), index % (groups * ic));
            let (group, channel) = (plane / ic, plane % ic);
            simd::run(Points {
                phases: &phases,
                part,
                position: image * part.image,
                layout,
                to: shared,
                first: group * layout.of_group() + channel * layout.line,
            });
        }
    });
    Panels { values, layout }
}

/// Transforms one plane into the panels.
struct Points<'a> {
    phases: &'a Phases,
    part: &'a Part,
    /// The plane's first position.
    position: usize,
    layout: Layout,
    to: Shared<f32>,
    /// Element of the first block's line.
    first: usize,
}

impl Kernel for Points<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        const PIECES: usize = LANES / PIECE;
        let of_point = self.layout.of_point();
        // In memory: of 36 vectors in its hands the compiler makes shorter ones.
        let mut columns = [[Lanes::splat(0.0); SIDE]; SIDE];
        for at in (0..self.part.image).step_by(LANES) {
            for (x, to) in columns.iter_mut().enumerate() {
                *to = column::<FUSED>(self.phases, x, at);
            }
            let pieces = ((self.part.image - at) / PIECE).min(PIECES);
            let mut places = [0; PIECES];
            for (index, place) in places.iter_mut().enumerate() {
                let (block, within) = self.part.place(self.position + at + index * PIECE);
                *place = self.first + block * self.layout.of_block() + within;
            }
            for y in 0..SIDE {
                let [a, b, c, d, e, f] = &columns;
                let points = of_inputs::<FUSED>([a[y], b[y], c[y], d[y], e[y], f[y]]);
                for (x, point) in points.iter().enumerate() {
                    let values = point.values();
                    let values: &[f32; LANES] = values.borrow();
                    let (values, _) = values.as_chunks::<PIECE>();
                    for (place, values) in places[..pieces].iter().zip(values) {
                        // SAFETY: the positions of a plane belong to one task; pieces lie inside lines, as both are
                        // whole numbers of pieces.
                        let to = unsafe { self.to.slice(place + (y * SIDE + x) * of_point, PIECE) };
                        to.copy_from_slice(values);
                    }
                }
            }
        }
    }
}

/// `B^T x` of a column of the inputs of some squares.
#[inline(always)]
fn column<const FUSED: bool>(phases: &Phases, x: usize, square: usize) -> [Lanes; SIDE] {
    of_inputs::<FUSED>([
        Lanes::of(phases.of(0, x, square)),
        Lanes::of(phases.of(1, x, square)),
        Lanes::of(phases.of(2, x, square)),
        Lanes::of(phases.of(3, x, square)),
        Lanes::of(phases.of(4, x, square)),
        Lanes::of(phases.of(5, x, square)),
    ])
}
