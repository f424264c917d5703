//! Splits an operation over rayon's threads without ever waiting for one to wake up.
//!
//! A network is a chain of operations that take tens of microseconds to a few milliseconds. A sleeping thread takes
//! about as long to wake. Called from a thread outside its pool, rayon's own scopes and parallel iterators return only
//! after another thread has woken up and looked at the work, even where there is none left. Here a thread that comes
//! too late finds the operation closed.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Work, in vector multiply-adds, below which waking another thread costs more than it saves (about 20 microseconds).
pub(crate) const PARALLEL_WORK: usize = 60_000;

/// Tasks for each thread, so that one that starts late or is interrupted does not hold up the rest.
pub(crate) const TASKS_PER_THREAD: usize = 6;

/// Looks at the other threads' progress before sleeping: about the length of a task, so that the caller rarely sleeps.
const LOOKS: usize = 1_000;

/// Threads for tasks that are cut further inside: all where each has a task of its own, else one, so that they share each
/// task.
pub(crate) fn threads_of_whole_tasks(tasks: usize) -> usize {
    let threads = rayon::current_num_threads();
    if tasks < threads { 1 } else { threads }
}

/// Threads worth using for `work` vector multiply-adds.
pub(crate) fn threads_for(work: usize) -> usize {
    if work < PARALLEL_WORK {
        1
    } else {
        rayon::current_num_threads()
    }
}

thread_local! {
    /// Whether this thread works on a task that others share in.
    static SHARES: Cell<bool> = const { Cell::new(false) };
}

/// Runs `task(0)` to `task(tasks - 1)` on up to `threads` threads, the calling one among them.
///
/// Tasks are taken one by one, so a thread that wakes late takes fewer. Called from such a task, it stays on the task's
/// thread: the others have tasks of their own.
pub(crate) fn run(threads: usize, tasks: usize, task: impl Fn(usize) + Sync) {
    let threads = threads.min(tasks);
    if threads <= 1 || SHARES.get() {
        (0..tasks).for_each(task);
        return;
    }
    let operation = Arc::new(Operation {
        task: Task::new(&task),
        tasks,
        next: AtomicUsize::new(0),
        helping: AtomicUsize::new(0),
        helpers: Mutex::new(Helpers {
            closed: false,
            panic: None,
        }),
        left: Condvar::new(),
    });
    let close = Close(&operation);
    for _ in 1..threads {
        let operation = Arc::clone(&operation);
        rayon::spawn(move || operation.help());
    }
    // SAFETY: `task` is still here.
    unsafe { operation.work() };
    drop(close);
    let panic = operation.helpers().panic.take();
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// A function on the stack of [`run`], which threads that come too late hold on to when it is gone: a pointer and no
/// reference.
struct Task {
    function: *const (),
    call: unsafe fn(*const (), usize),
}

impl Task {
    fn new<F: Fn(usize) + Sync>(function: &F) -> Self {
        /// # Safety
        /// The pointer is that of a function of this type, which is still there.
        unsafe fn call<F: Fn(usize)>(function: *const (), index: usize) {
            // SAFETY: the caller's promise.
            let function = unsafe { &*function.cast::<F>() };
            function(index);
        }
        Self {
            function: (&raw const *function).cast(),
            call: call::<F>,
        }
    }

    /// # Safety
    /// The function is still there.
    unsafe fn call(&self, index: usize) {
        // SAFETY: the pointer was made with the function that takes it back, and the caller promises the rest.
        unsafe { (self.call)(self.function, index) };
    }
}

// SAFETY: the function may be called from any thread, as it is `Sync`, and it is not dropped with the pointer.
unsafe impl Send for Task {}
// SAFETY: threads that share the pointer only call the function, which is `Sync`.
unsafe impl Sync for Task {}

/// Tasks in hand, shared with the threads that help.
struct Operation {
    task: Task,
    tasks: usize,
    next: AtomicUsize,
    /// Helpers at work; changed under the lock of `helpers`.
    helping: AtomicUsize,
    helpers: Mutex<Helpers>,
    left: Condvar,
}

struct Helpers {
    closed: bool,
    /// What a helper's task panicked with.
    panic: Option<Box<dyn Any + Send>>,
}

impl Operation {
    fn helpers(&self) -> MutexGuard<'_, Helpers> {
        // Nothing panics while it is locked.
        self.helpers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes tasks until there are no more.
    ///
    /// # Safety
    /// The function of [`run`] stays until this returns or panics.
    unsafe fn work(&self) {
        SHARES.set(true);
        let _restored = Restore;
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= self.tasks {
                return;
            }
            // SAFETY: the caller's promise.
            unsafe { self.task.call(index) };
        }
    }

    /// What another thread does when it gets here: helps, unless the caller has finished without it.
    fn help(&self) {
        {
            let helpers = self.helpers();
            if helpers.closed {
                return;
            }
            self.helping.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: `run` owns the function and ends by way of `Close`, also where a task panics. That waits until
        // `helping` is 0, and it has not yet closed the operation, as `helpers` said under the lock under which this
        // thread has counted itself in.
        let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { self.work() }));
        let mut helpers = self.helpers();
        if let Err(panic) = outcome {
            helpers.panic = Some(panic);
        }
        // Releases what the tasks have written to the caller, which may look without the lock.
        self.helping.fetch_sub(1, Ordering::Release);
        self.left.notify_one();
    }
}

/// Notes, when dropped, that the thread is done with the tasks, also where one panicked.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        SHARES.set(false);
    }
}

/// Closes an operation when dropped, and waits for the threads that help.
struct Close<'a>(&'a Operation);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let mut helpers = self.0.helpers();
        helpers.closed = true;
        drop(helpers);
        for _ in 0..LOOKS {
            if self.0.helping.load(Ordering::Acquire) == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        helpers = self.0.helpers();
        while self.0.helping.load(Ordering::Acquire) > 0 {
            helpers = self
                .0
                .left
                .wait(helpers)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A pointer that tasks share because each writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

impl<T> Shared<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The same from element `start` on.
    ///
    /// # Safety
    /// `start` lies inside the slice this was made from.
    pub unsafe fn offset(&self, start: usize) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { self.0.add(start) })
    }

    /// The first element. As with [`Self::slice`], what a task reads or writes through it is touched by no other task,
    /// and the slice is still borrowed.
    pub fn as_mut_ptr(&self) -> *mut T {
        self.0
    }

    /// The slice of `len` elements from `start`.
    ///
    /// # Safety
    /// The range lies inside the slice this was made from, which is still borrowed, and no other task touches it
    /// meanwhile.
    #[allow(clippy::mut_from_ref, reason = "the caller promises disjoint ranges")]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}

// SAFETY: whoever reads or writes through the pointer promises that no other task touches the same elements.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: whoever reads or writes through a shared pointer promises that no other task touches the same elements.
unsafe impl<T: Send> Sync for Shared<T> {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::run;

    const THREADS: usize = 4;

    #[test]
    fn every_task_runs_once() {
        for tasks in [0, 1, 2, 7, 1000] {
            let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            run(THREADS, tasks, |index| {
                counts[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn returns_after_the_last_task_of_a_helper() {
        let done = AtomicUsize::new(0);
        run(THREADS, THREADS, |_| {
            std::thread::sleep(Duration::from_millis(20));
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.load(Ordering::Relaxed), THREADS);
    }

    #[test]
    fn operations_nest() {
        let sum = AtomicUsize::new(0);
        run(THREADS, 8, |outer| {
            run(THREADS, 8, |inner| {
                sum.fetch_add(8 * outer + inner, Ordering::Relaxed);
            });
        });
        assert_eq!(sum.load(Ordering::Relaxed), 63 * 64 / 2);
    }

    #[test]
    fn an_operation_inside_a_task_stays_on_its_thread() {
        run(THREADS, 2, |_| {
            let outer = std::thread::current().id();
            run(THREADS, 8, |_| {
                // Long enough for an idle thread to come and take one.
                std::thread::sleep(Duration::from_millis(5));
                assert_eq!(std::thread::current().id(), outer);
            });
        });
    }

    #[test]
    #[cfg_attr(panic = "abort", ignore = "a panic ends the program")]
    fn a_panic_reaches_the_caller() {
        for culprit in 0..THREADS {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                run(THREADS, THREADS, |index| {
                    std::thread::sleep(Duration::from_millis(5));
                    assert!(index != culprit, "task {index}");
                });
            }));
            assert!(outcome.is_err(), "task {culprit} panicked unheard");
        }
    }
}
