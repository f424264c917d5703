use std::ops::Range;

use super::operands::Operands;
use super::transpose::{Lines, interleave};

/// Kernels of neighboring output channels, with their weights for a tap side by side: what tiles of panels read is made
/// of them.
pub(super) struct KernelsBeside<'a> {
    operands: &'a Operands<'a>,
    /// Output channels side by side.
    block: usize,
    order: Order,
}

/// How the weights of a kernel lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One after the other.
    Forward,
    /// One before the other: a flipped view.
    Backward,
    /// With gaps.
    Spread,
}

impl<'a> KernelsBeside<'a> {
    /// Of `block` output channels.
    pub fn new(operands: &'a Operands<'a>, block: usize) -> Self {
        let width = operands.geometry.kernel[1] as isize;
        let weight = &operands.weight;
        let order = match weight.kernel {
            [row, 1] if row == width && weight.oc > 0 => Order::Forward,
            [row, -1] if row == -width && weight.oc > 0 => Order::Backward,
            _ => Order::Spread,
        };
        Self {
            operands,
            block,
            order,
        }
    }

    /// Weights of a kernel.
    pub fn taps(&self) -> usize {
        self.operands.geometry.kernel.iter().product()
    }

    /// The place among a kernel's weights of that at a row and column.
    pub fn place(&self, [y, x]: [usize; 2]) -> usize {
        let place = y * self.operands.geometry.kernel[1] + x;
        match self.order {
            Order::Backward => self.taps() - 1 - place,
            Order::Forward | Order::Spread => place,
        }
    }

    /// Writes `[input channel, place, output channel]` for some input channels and a block of output channels of a
    /// group, with zeros for those behind the last.
    pub fn fill(&self, group: usize, first_oc: usize, channels: Range<usize>, to: &mut [f32]) {
        let Operands { weight, oc, .. } = *self.operands;
        let taps = self.taps();
        let count = self.block.min(oc - first_oc);
        assert_eq!(to.len(), channels.len() * taps * self.block, "kernels");
        let begin =
            weight.offset as isize + group as isize * weight.group + first_oc as isize * weight.oc;
        let [rows, columns] = self.operands.geometry.kernel.map(|size| size as isize - 1);
        let last = rows * weight.kernel[0] + columns * weight.kernel[1];
        let lines = |channel: usize| {
            let reversed = if self.order == Order::Backward {
                last
            } else {
                0
            };
            let first = begin + channel as isize * weight.ic + reversed;
            Lines {
                first: &weight.values[first as usize..],
                count,
                pitch: weight.oc as usize,
            }
        };
        if self.order == Order::Spread {
            let width = self.operands.geometry.kernel[1];
            let places = to.chunks_exact_mut(self.block).enumerate();
            for (index, to) in places {
                let (channel, place) = (channels.start + index / taps, index % taps);
                let (y, x) = (place / width, place % width);
                let first = begin
                    + channel as isize * weight.ic
                    + y as isize * weight.kernel[0]
                    + x as isize * weight.kernel[1];
                let (filled, rest) = to.split_at_mut(count);
                for (o, to) in filled.iter_mut().enumerate() {
                    *to = weight.values[(first + o as isize * weight.oc) as usize];
                }
                rest.fill(0.0);
            }
        } else if weight.ic == taps as isize {
            interleave(self.block, lines(channels.start), to);
        } else {
            for (channel, to) in channels.zip(to.chunks_exact_mut(taps * self.block)) {
                interleave(self.block, lines(channel), to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Geometry;
    use super::super::operands::WeightView;
    use super::{KernelsBeside, Operands};

    const IC: usize = 5;
    const OC: usize = 11;
    const KERNEL: [usize; 2] = [3, 2];
    const TAPS: usize = 6;
    const COUNT: usize = IC * OC * TAPS;

    fn assert_each_weight_is_in_its_place(what: &str, weight: WeightView<'_>) {
        let operands = Operands {
            x: &[],
            weight,
            input_scale: None,
            output_scale: None,
            bias: None,
            n: 1,
            groups: 1,
            ic: IC,
            oc: OC,
            geometry: Geometry {
                input: [3, 3],
                kernel: KERNEL,
                output: [1, 2],
                stride: [1, 1],
                padding: [0, 0],
            },
        };
        for block in [4, 8] {
            let beside = KernelsBeside::new(&operands, block);
            for first in (0..OC).step_by(block) {
                let channels = 1..IC;
                let mut to = vec![f32::NAN; channels.len() * TAPS * block];
                beside.fill(0, first, channels.clone(), &mut to);
                for (channel, kernels) in channels.zip(to.chunks_exact(TAPS * block)) {
                    for (y, x) in (0..KERNEL[0]).flat_map(|y| (0..KERNEL[1]).map(move |x| (y, x))) {
                        let place = beside.place([y, x]);
                        for (o, value) in kernels[place * block..][..block].iter().enumerate() {
                            let at = weight.offset as isize
                                + (first + o) as isize * weight.oc
                                + channel as isize * weight.ic
                                + y as isize * weight.kernel[0]
                                + x as isize * weight.kernel[1];
                            let expected = if first + o < OC {
                                weight.values[at as usize]
                            } else {
                                0.0
                            };
                            assert_eq!(*value, expected, "{what}, {channel}, {y}, {x}, {o}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn each_weight_is_in_its_place() {
        let values: Vec<f32> = (1..=COUNT).map(|value| value as f32).collect();
        let (taps, row) = (TAPS as isize, KERNEL[1] as isize);
        let of_oc = WeightView {
            values: &values,
            offset: 0,
            group: 0,
            oc: IC as isize * taps,
            ic: taps,
            kernel: [row, 1],
        };
        let of_ic = WeightView {
            oc: taps,
            ic: OC as isize * taps,
            ..of_oc
        };
        for (what, view) in [("as they lie", of_oc), ("channels swapped", of_ic)] {
            assert_each_weight_is_in_its_place(what, view);
            let flipped = WeightView {
                offset: TAPS - 1,
                kernel: [-row, -1],
                ..view
            };
            assert_each_weight_is_in_its_place(&format!("{what}, flipped"), flipped);
        }
        let spread = WeightView {
            oc: 1,
            ic: OC as isize,
            kernel: [row * (OC * IC) as isize, (OC * IC) as isize],
            ..of_oc
        };
        assert_each_weight_is_in_its_place("channels last", spread);
        let backwards = WeightView {
            offset: (OC - 1) * IC * TAPS,
            oc: -of_oc.oc,
            ..of_oc
        };
        assert_each_weight_is_in_its_place("channels backwards", backwards);
    }
}
