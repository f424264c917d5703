use std::ops::Range;

use super::microkernel::Microkernels;
use crate::threads::{self, TASKS_PER_THREAD};

/// Weights that a task sweeps before it moves on to other positions, in elements: a quarter of a 1 MiB second-level cache.
const RESIDENT_WEIGHTS: usize = 64 * 1024;

/// Least work of a task, in vector multiply-adds (a few microseconds), against the cost of taking it.
const TASK_WORK: usize = 8_000;

/// Register tiles of a correlation, which are cut into tasks.
pub(super) struct Tasks {
    /// Groups of all images that are swept one by one.
    pub instances: usize,
    /// Output channels of an instance.
    pub rows: usize,
    /// Multiply-adds for each output channel and position.
    pub depth: usize,
    /// Positions of an instance.
    pub positions: usize,
}

impl Tasks {
    /// Calls `tiles` with an instance, a block of positions and a range of row blocks until all were covered. A task is a rectangle of tiles.
    pub fn run(&self, kernels: Microkernels, tiles: impl Fn(usize, usize, Range<usize>) + Sync) {
        let vectors = self.positions.div_ceil(kernels.lanes);
        let row_blocks = self.rows.div_ceil(kernels.rows);
        let position_blocks = vectors.div_ceil(kernels.vectors);
        let work = self.instances * self.rows * self.depth * vectors;
        let threads = threads::threads_for(work);

        let tile_work = self.depth * kernels.rows * kernels.vectors;
        let of_task = (work / (threads * TASKS_PER_THREAD))
            .max(TASK_WORK)
            .div_ceil(tile_work);
        let resident = (RESIDENT_WEIGHTS / (kernels.rows * self.depth)).max(1);
        let rows_of_task = row_blocks.min(resident).min(of_task.max(1));
        let positions_of_task = (of_task / rows_of_task).clamp(1, position_blocks);
        let row_tasks = row_blocks.div_ceil(rows_of_task);
        let position_tasks = position_blocks.div_ceil(positions_of_task);

        threads::run(
            threads,
            self.instances * row_tasks * position_tasks,
            |task| {
                let (instance, task) = (
                    task / (row_tasks * position_tasks),
                    task % (row_tasks * position_tasks),
                );
                let (row_task, position_task) = (task / position_tasks, task % position_tasks);
                let first = position_task * positions_of_task;
                for block in first..(first + positions_of_task).min(position_blocks) {
                    let first = row_task * rows_of_task;
                    let end = (first + rows_of_task).min(row_blocks);
                    tiles(instance, block, first..end);
                }
            },
        );
    }
}
