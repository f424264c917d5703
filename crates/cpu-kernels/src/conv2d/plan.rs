use super::geometry::Geometry;

/// Layout of one packed input plane: the padded image, split into the phases of the stride, in rows of equal pitch.
///
/// Element `(row, column)` of phase `(a, b)` is the input at
/// `(row stride_y + a - before_y, column stride_x + b - before_x)`, or zero outside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    /// Stride that the phases undo, `[y, x]`.
    pub stride: [usize; 2],
    /// Phases that a tap uses, `[y, x]`.
    pub phases: [usize; 2],
    /// Zeros above and left of the image.
    pub before: [usize; 2],
    /// Rows of one phase.
    pub rows: usize,
    /// Elements from one row to the next.
    pub pitch: usize,
    /// Elements behind the last row that a tap may read as its padding.
    ///
    /// A row's zeros on the right are the next row's zeros on the left, which saves a third of the padded width at 4 x
    /// 4.
    pub tail: usize,
}

impl Packing {
    fn new(
        stride: [usize; 2],
        phases: [usize; 2],
        before: [usize; 2],
        [rows, columns]: [usize; 2],
        width: usize,
        grid_columns: usize,
    ) -> Self {
        let right = columns.saturating_sub(before[1] + width);
        let tail = if stride[1] == 1 {
            // The positions of two rows must not overlap.
            right.min(before[1]).min(columns - grid_columns)
        } else {
            0
        };
        Self {
            stride,
            phases,
            before,
            rows,
            pitch: columns - tail,
            tail,
        }
    }

    /// Elements of one phase.
    pub fn phase(&self) -> usize {
        self.rows * self.pitch + self.tail
    }

    /// Elements of one plane: all its phases.
    pub fn plane(&self) -> usize {
        self.phases[0] * self.phases[1] * self.phase()
    }

    fn tap(&self, phase: [usize; 2], at: [usize; 2], kernel: [usize; 2]) -> Tap {
        let index = phase[0] * self.phases[1] + phase[1];
        Tap {
            offset: index * self.phase() + at[0] * self.pitch + at[1],
            phase,
            at,
            kernel,
        }
    }

    /// The row or column of an image of this size that a tap reads when the grid's position has this row or column;
    /// none in the padding.
    pub fn source(&self, axis: usize, tap: &Tap, position: usize, size: usize) -> Option<usize> {
        let element = (tap.at[axis] + position) * self.stride[axis] + tap.phase[axis];
        let source = element.checked_sub(self.before[axis])?;
        (source < size).then_some(source)
    }

    /// Whether the packed plane would be the image itself.
    pub fn is_identity(&self, [height, width]: [usize; 2]) -> bool {
        self.stride == [1, 1]
            && self.before == [0, 0]
            && self.rows == height
            && self.pitch == width
            && self.tail == 0
    }
}

/// One kernel tap: where it reads, relative to the position computed, and which weight it multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    /// Offset into the packed plane: of `at` in `phase`.
    pub offset: usize,
    /// Phase of the packed plane, `[y, x]`.
    pub phase: [usize; 2],
    /// Row and column in the phase.
    pub at: [usize; 2],
    /// Row and column of the weight in the kernel.
    pub kernel: [usize; 2],
}

/// One stride-1 correlation: a grid of positions, the taps they sum and where the sums belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    /// Taps; none where the stride leaves an output phase without a weight.
    pub taps: Vec<Tap>,
    /// Rows and columns of positions.
    pub grid: [usize; 2],
    /// Output row and column of the first position.
    pub first: [usize; 2],
    /// Output rows and columns from one position to the next.
    pub step: [usize; 2],
}

/// How a convolution or its adjoint is carried out: one packed input, one or more passes over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub packing: Packing,
    pub passes: Vec<Pass>,
}

impl Plan {
    /// Plan of a cross-correlation.
    pub fn convolution(geometry: Geometry) -> Self {
        let Geometry {
            input,
            kernel,
            output,
            stride,
            padding,
        } = geometry;
        let size = |axis: usize| output[axis] + (kernel[axis] - 1) / stride[axis];
        let phases = [0, 1].map(|axis| stride[axis].min(kernel[axis]));
        let packing = Packing::new(
            stride,
            phases,
            padding,
            [size(0), size(1)],
            input[1],
            output[1],
        );
        let mut taps = Vec::with_capacity(kernel[0] * kernel[1]);
        for ky in 0..kernel[0] {
            for kx in 0..kernel[1] {
                taps.push(packing.tap(
                    [ky % stride[0], kx % stride[1]],
                    [ky / stride[0], kx / stride[1]],
                    [ky, kx],
                ));
            }
        }
        let pass = Pass {
            taps,
            grid: output,
            first: [0, 0],
            step: [1, 1],
        };
        Self {
            packing,
            passes: vec![pass],
        }
    }

    /// Plan of the adjoint of a cross-correlation in its input: a transposed convolution.
    ///
    /// Along an axis, output `o` sums input `i` times weight `k` over all `i stride + k - padding = o`. With
    /// `o + padding = stride j + phase` the taps of a phase are `k = phase + stride t`, and they read `i = j - t`.
    pub fn adjoint(geometry: Geometry) -> Self {
        let Geometry {
            input,
            kernel,
            output,
            stride,
            padding,
        } = geometry;
        let axes = [0, 1].map(|axis| {
            (0..stride[axis])
                .filter_map(|phase| {
                    OutputPhase::new(
                        phase,
                        stride[axis],
                        padding[axis],
                        kernel[axis],
                        output[axis],
                    )
                })
                .collect::<Vec<_>>()
        });
        let extreme = |f: &dyn Fn(&OutputPhase) -> usize| {
            [0, 1].map(|axis: usize| axes[axis].iter().map(f).max().unwrap_or(0))
        };
        let before = extreme(&|p| p.taps.saturating_sub(1).saturating_sub(p.start));
        let last = extreme(&|p| p.start + p.count);
        let packing = Packing::new(
            [1, 1],
            [1, 1],
            before,
            [last[0] + before[0], last[1] + before[1]],
            input[1],
            extreme(&|p| p.count)[1],
        );
        let mut passes = Vec::with_capacity(axes[0].len() * axes[1].len());
        for y in &axes[0] {
            for x in &axes[1] {
                let mut taps = Vec::with_capacity(y.taps * x.taps);
                for ty in 0..y.taps {
                    for tx in 0..x.taps {
                        taps.push(packing.tap(
                            [0, 0],
                            [y.start + before[0] - ty, x.start + before[1] - tx],
                            [y.phase + stride[0] * ty, x.phase + stride[1] * tx],
                        ));
                    }
                }
                passes.push(Pass {
                    taps,
                    grid: [y.count, x.count],
                    first: [y.first, x.first],
                    step: stride,
                });
            }
        }
        Self { packing, passes }
    }
}

/// The outputs of a transposed convolution that share a residue along one axis.
struct OutputPhase {
    phase: usize,
    /// Number of kernel taps.
    taps: usize,
    /// First quotient `j`.
    start: usize,
    /// Number of quotients.
    count: usize,
    /// First output.
    first: usize,
}

impl OutputPhase {
    fn new(
        phase: usize,
        stride: usize,
        padding: usize,
        kernel: usize,
        output: usize,
    ) -> Option<Self> {
        let start = padding.saturating_sub(phase).div_ceil(stride);
        let end = (output + padding).checked_sub(phase + 1)? / stride + 1;
        (end > start).then(|| Self {
            phase,
            taps: kernel.saturating_sub(phase).div_ceil(stride),
            start,
            count: end - start,
            first: start * stride + phase - padding,
        })
    }
}
