use std::sync::atomic::{AtomicUsize, Ordering};

/// Work, in vector multiply-adds, below which waking another thread costs more than it saves (about 20 microseconds).
pub(super) const PARALLEL_WORK: usize = 60_000;

/// Tasks for each thread, so that one that starts late or is interrupted does not hold up the rest.
pub(super) const TASKS_PER_THREAD: usize = 6;

/// Threads worth using for `work` vector multiply-adds.
pub(super) fn threads_for(work: usize) -> usize {
    if work < PARALLEL_WORK {
        1
    } else {
        rayon::current_num_threads()
    }
}

/// Runs `task(0)` to `task(tasks - 1)` on up to `threads` threads, the calling one among them.
///
/// Tasks are taken one by one, so a thread that wakes late takes fewer.
pub(super) fn run(threads: usize, tasks: usize, task: impl Fn(usize) + Sync) {
    let threads = threads.min(tasks);
    if threads <= 1 {
        (0..tasks).for_each(task);
        return;
    }
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                break;
            }
            task(index);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
}

/// A pointer that tasks share because each writes its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(*mut T);

impl<T> Shared<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The slice of `len` elements from `start`.
    ///
    /// # Safety
    /// The range lies inside the slice this was made from, which is still borrowed, and no other task touches it meanwhile.
    #[allow(clippy::mut_from_ref, reason = "the caller promises disjoint ranges")]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

// SAFETY: the pointer is only used through `slice`, whose caller promises disjoint ranges.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}
