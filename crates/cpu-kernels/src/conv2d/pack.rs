use std::ops::Range;

use super::microkernel::MAX_LANES;
use super::plan::Packing;
use crate::simd::{self, Kernel};
use crate::threads::{self, Shared, TASKS_PER_THREAD};

/// Cost of gathering one vector into a column matrix, in vector multiply-adds.
pub(super) const GATHER_COST: usize = 12;

/// Copies the image planes of `x`, each times its `scale`, into packed layout, one after the other from the start of
/// `packed`.
pub(super) fn pack(
    x: &[f32],
    size: [usize; 2],
    packing: &Packing,
    scale: Option<&[f32]>,
    packed: &mut [f32],
) {
    let area = size[0] * size[1];
    let planes = x.len() / area;
    let plane = packing.plane();
    let threads = threads::threads_for(planes * plane / MAX_LANES);
    let shared = Shared::new(packed);
    split(threads, planes, |index| {
        // SAFETY: each plane belongs to one task and lies inside the buffer.
        let packed = unsafe { shared.slice(index * plane, plane) };
        let scale = scale.map(|scales| scales[index]);
        simd::run(PackPlane {
            image: &x[index * area..][..area],
            size,
            packing,
            scale,
            packed,
        });
    });
}

/// Least line of a column matrix for `count` positions: an odd number of whole vectors, because lines a power of two
/// apart would share a few sets of the first-level cache.
pub(super) fn spread(count: usize) -> usize {
    (count.div_ceil(MAX_LANES) | 1) * MAX_LANES
}

/// Runs `item(0)` to `item(items - 1)`, several to a task.
fn split(threads: usize, items: usize, item: impl Fn(usize) + Sync) {
    let tasks = if threads == 1 {
        1
    } else {
        items.min(threads * TASKS_PER_THREAD)
    };
    threads::run(threads, tasks, |task| {
        (task * items / tasks..(task + 1) * items / tasks).for_each(&item);
    });
}

/// Image planes, `[image, channel]`, from which a column matrix is gathered.
#[derive(Clone, Copy)]
pub(super) struct Planes<'a> {
    /// Elements.
    pub values: &'a [f32],
    /// Channels of an image.
    pub channels: usize,
    /// Elements of a plane.
    pub plane: usize,
    /// Elements from one row to the next.
    pub pitch: usize,
}

impl Planes<'_> {
    /// The column matrix `[channel, offset, image row column]`, whose last axis has `count` elements, zeros where the
    /// images end.
    ///
    /// Worth its cost where images are so small that the gaps between their rows would fill most of a vector.
    pub fn gather(
        &self,
        offsets: &[usize],
        images: Range<usize>,
        rows: Range<usize>,
        columns: usize,
        count: usize,
        matrix: &mut [f32],
    ) {
        let filled = images.len() * rows.len() * columns;
        debug_assert!(filled <= count && matrix.len() == self.channels * offsets.len() * count);
        let threads = threads::threads_for(matrix.len() / MAX_LANES * GATHER_COST);
        let shared = Shared::new(matrix);
        split(threads, self.channels, |channel| {
            for (index, offset) in offsets.iter().enumerate() {
                // SAFETY: each channel belongs to one task and lies inside the matrix.
                let line =
                    unsafe { shared.slice((channel * offsets.len() + index) * count, count) };
                let (line, rest) = line.split_at_mut(filled);
                rest.fill(0.0);
                let mut lines = line.chunks_exact_mut(columns);
                for image in images.clone() {
                    let plane = (image * self.channels + channel) * self.plane;
                    for row in rows.clone() {
                        let from = &self.values[plane + offset + row * self.pitch..][..columns];
                        let Some(to) = lines.next() else { return };
                        // A loop, because a call to copy a few elements costs more than they do.
                        for (to, from) in to.iter_mut().zip(from) {
                            *to = *from;
                        }
                    }
                }
            }
        });
    }
}

/// Copies one image plane into its packed layout, times `scale`. Every element of `packed` is written.
struct PackPlane<'a> {
    image: &'a [f32],
    size: [usize; 2],
    packing: &'a Packing,
    scale: Option<f32>,
    packed: &'a mut [f32],
}

impl Kernel for PackPlane<'_> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Self {
            image,
            size: [height, width],
            packing,
            scale,
            packed,
        } = self;
        debug_assert_eq!(image.len(), height * width);
        debug_assert_eq!(packed.len(), packing.plane());
        let [stride_y, stride_x] = packing.stride;
        let (body, pitch) = (packing.rows * packing.pitch, packing.pitch);
        for (index, phase) in packed.chunks_exact_mut(packing.phase()).enumerate() {
            let (a, b) = (index / packing.phases[1], index % packing.phases[1]);
            // At once, because a call for the few elements at each edge costs more than they do.
            phase.fill(0.0);
            let rows = &mut phase[..body];
            // The first column whose source `column stride + b - before` is inside the image, and the first behind it.
            let first = packing.before[1].saturating_sub(b).div_ceil(stride_x);
            let end = (width + packing.before[1])
                .saturating_sub(b)
                .div_ceil(stride_x)
                .clamp(first, pitch.max(first))
                .min(pitch);
            let first = first.min(end);
            for (row, line) in rows.chunks_exact_mut(pitch).enumerate() {
                let source = (row * stride_y + a).checked_sub(packing.before[0]);
                let Some(source) = source.filter(|y| *y < height && first < end) else {
                    continue;
                };
                let source = &image[source * width..][..width];
                let start = first * stride_x + b - packing.before[1];
                let line = &mut line[first..end];
                match (stride_x, scale) {
                    (1, None) => line.copy_from_slice(&source[start..][..end - first]),
                    (1, Some(scale)) => {
                        for (to, from) in line.iter_mut().zip(&source[start..]) {
                            *to = from * scale;
                        }
                    }
                    (2, scale) => {
                        let scale = scale.unwrap_or(1.0);
                        // In pairs the compiler finds shuffles.
                        let (pairs, last) = source[start..].as_chunks::<2>();
                        for (to, [from, _]) in line.iter_mut().zip(pairs) {
                            *to = from * scale;
                        }
                        if let (Some(to), [from]) = (line.get_mut(pairs.len()), last) {
                            *to = from * scale;
                        }
                    }
                    (stride, scale) => {
                        let scale = scale.unwrap_or(1.0);
                        for (to, from) in
                            line.iter_mut().zip(source[start..].iter().step_by(stride))
                        {
                            *to = from * scale;
                        }
                    }
                }
            }
        }
    }
}
