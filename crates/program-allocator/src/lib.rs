//! The allocator that this workspace's programs and benchmarks have: mimalloc, which keeps freed memory for a while.
//!
//! A step of inversion or training frees activations that the next one takes again. The system's allocator hands large
//! ones back in between, and page faults cost up to a third of a step (`docs/results.md`). The choice concerns the whole
//! process. So it belongs to the program, and no library makes it. On Windows nothing was measured, and programs keep
//! the system's there.

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a program calls first, so that freed memory goes back to the system after 0.6 seconds.
///
/// It is longer than the steps that page faults cost most, and shorter than those of 1024x1024, where mimalloc's own
/// second would keep 80 MB more. The environment variable `MIMALLOC_PURGE_DELAY`, in milliseconds, comes before it.
pub fn begin() {
    #[cfg(unix)]
    {
        use libmimalloc_sys::{mi_option_set_default, mi_option_t};

        /// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings have no name for.
        const PURGE_DELAY: mi_option_t = 15;
        const MILLISECONDS: std::ffi::c_long = 600;
        // SAFETY: sets a number that mimalloc reads when it frees; any is valid.
        unsafe {
            mi_option_set_default(PURGE_DELAY, MILLISECONDS);
        }
    }
}
