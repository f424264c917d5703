use super::pack::pack;
use super::plan::Packing;
use super::transpose::{Lines, interleave};
use super::winograd::LANES;
use crate::scratch::Scratch;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared};

/// Elements interleaved in the time of a vector multiply-add, about.
const INTERLEAVED_PER_MULTIPLY_ADD: usize = 4;

/// Planes laid out with the channels of a vector side by side, `[group, block of channels, image, position, lane]`,
/// zeros where the channels end.
pub(super) struct Interleaved {
    pub lanes: usize,
    /// Channels of a group.
    pub channels: usize,
    pub groups: usize,
    pub n: usize,
    pub plane: usize,
}

impl Interleaved {
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(self.lanes)
    }

    pub fn elements(&self) -> usize {
        self.groups * self.blocks() * self.n * self.plane * self.lanes
    }

    /// The first planes of a block.
    fn lines<'a>(&self, first: &'a [f32], count: usize) -> Lines<&'a [f32]> {
        Lines {
            first,
            count,
            pitch: self.plane,
        }
    }

    /// Copies `planes`, `[image, group channel, position]`, and packs them first where a packing and the size that it
    /// starts from are given.
    pub fn fill(&self, planes: &[f32], packing: Option<(&Packing, [usize; 2])>, to: &mut [f32]) {
        let (blocks, unit) = (self.blocks(), self.plane * self.lanes);
        let plane = packing.map_or(self.plane, |(_, [ih, iw])| ih * iw);
        let threads = threads::threads_for(to.len() / INTERLEAVED_PER_MULTIPLY_ADD);
        let shared = Shared::new(to);
        threads::run(threads, self.groups * blocks * self.n, |index| {
            let (block, image) = (index / self.n, index % self.n);
            let (group, block) = (block / blocks, block % blocks);
            let first = block * self.lanes;
            let count = self.lanes.min(self.channels - first);
            let from = ((image * self.groups + group) * self.channels + first) * plane;
            let planes = &planes[from..][..count * plane];
            // SAFETY: each block of an image belongs to one task and lies inside the buffer.
            let to = unsafe { shared.slice(index * unit, unit) };
            if let Some((packing, [ih, iw])) = packing.filter(|(packing, [_, iw])| {
                let inside = packing.pitch.saturating_sub(packing.before[1]).min(*iw);
                packing.stride == [1, 1] && count == self.lanes && inside >= self.lanes
            }) {
                self.fill_rows(planes, packing, [ih, iw], to);
            } else if let Some((packing, size)) = packing {
                // A block at a time stays in the second-level cache until it is read again.
                let mut packed = Scratch::new(count * self.plane);
                pack(planes, size, packing, None, &mut packed);
                interleave(self.lanes, self.lines(&packed, count), to);
            } else {
                interleave(self.lanes, self.lines(planes, count), to);
            }
        });
    }

    /// Lays out the planes of one block row by row, with zeros around the images: rows that are long enough for squares
    /// need no padded copy first.
    fn fill_rows(&self, planes: &[f32], packing: &Packing, [ih, iw]: [usize; 2], to: &mut [f32]) {
        let [above, left] = packing.before;
        // Behind its image a row ends where the next begins.
        let inside = iw.min(packing.pitch - left);
        let mut done = 0;
        for row in 0..ih.min(packing.rows - above.min(packing.rows)) {
            let start = ((above + row) * packing.pitch + left) * self.lanes;
            let end = start + inside * self.lanes;
            to[done..start].fill(0.0);
            let lines = Lines {
                first: &planes[row * iw..],
                count: self.lanes,
                pitch: ih * iw,
            };
            interleave(self.lanes, lines, &mut to[start..end]);
            done = end;
        }
        to[done..].fill(0.0);
    }
}

/// Multiplies each lane of all vectors by its factor; lanes behind the factors become zeros.
pub(super) fn scale_lanes(values: &mut [f32], factors: &[f32]) {
    let mut of_lanes = [0.0; LANES];
    of_lanes[..factors.len()].copy_from_slice(factors);
    simd::run(Scaled {
        values,
        factors: of_lanes,
    });
}

struct Scaled<'a> {
    values: &'a mut [f32],
    factors: [f32; LANES],
}

impl Kernel for Scaled<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for values in self.values.as_chunks_mut::<LANES>().0 {
            for (value, factor) in values.iter_mut().zip(&self.factors) {
                *value *= factor;
            }
        }
    }
}
