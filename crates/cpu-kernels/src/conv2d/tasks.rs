use std::ops::Range;

use super::microkernel::Microkernels;
use crate::threads::{self, TASKS_PER_THREAD};

/// Weights that a task sweeps before it moves on to other positions, in elements: a quarter of a 1 MiB second-level
/// cache.
const RESIDENT_WEIGHTS: usize = 64 * 1024;

/// Least work of a task, in vector multiply-adds (a few microseconds), against the cost of taking it.
const TASK_WORK: usize = 8_000;

/// Register tiles of a correlation, which are cut into tasks.
pub(super) struct Tasks {
    /// Groups of all images that are swept one by one.
    pub instances: usize,
    /// Output channels of an instance.
    pub oc: usize,
    /// Multiply-adds for each output channel and position.
    pub depth: usize,
    /// Positions of an instance.
    pub positions: usize,
    /// Row blocks that share what has been read of a block of positions.
    pub shared: usize,
}

impl Tasks {
    /// Calls `tiles` with an instance, a range of blocks of positions and one of row blocks until all were covered. A
    /// task is a rectangle of tiles.
    pub fn run(
        &self,
        kernels: Microkernels,
        tiles: impl Fn(usize, Range<usize>, Range<usize>) + Sync,
    ) {
        let vectors = self.positions.div_ceil(kernels.lanes);
        let oc_blocks = self.oc.div_ceil(kernels.oc);
        let position_blocks = vectors.div_ceil(kernels.vectors);
        let work = self.instances * self.oc * self.depth * vectors;
        let threads = threads::threads_for(work);

        let tile_work = self.depth * kernels.oc * kernels.vectors;
        let of_task = (work / (threads * TASKS_PER_THREAD))
            .max(TASK_WORK)
            .div_ceil(tile_work);
        let resident = (RESIDENT_WEIGHTS / (kernels.oc * self.depth)).max(self.shared);
        let oc_of_task = oc_blocks.min(resident).min(of_task.max(1));
        let positions_of_task = (of_task / oc_of_task).clamp(1, position_blocks);
        let oc_tasks = oc_blocks.div_ceil(oc_of_task);
        let position_tasks = position_blocks.div_ceil(positions_of_task);

        threads::run(
            threads,
            self.instances * oc_tasks * position_tasks,
            |task| {
                let (instance, task) = (
                    task / (oc_tasks * position_tasks),
                    task % (oc_tasks * position_tasks),
                );
                let (oc_task, position_task) = (task / position_tasks, task % position_tasks);
                let first = position_task * positions_of_task;
                let blocks = first..(first + positions_of_task).min(position_blocks);
                let first = oc_task * oc_of_task;
                tiles(instance, blocks, first..(first + oc_of_task).min(oc_blocks));
            },
        );
    }
}
