//! The allocator that this workspace's programs and benchmarks have: mimalloc, which keeps freed memory for a while.
//!
//! A step of inversion or training frees activations that the next one takes again. The system's allocator hands large
//! ones back in between, and page faults cost up to a third of a step (`docs/results.md`). The choice concerns the whole
//! process. So it belongs to the program, and no library makes it. On Windows nothing was measured, and programs keep
//! the system's there.

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings have no name for.
#[cfg(unix)]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
#[cfg(unix)]
const MILLISECONDS: std::ffi::c_long = 600;

/// What a program calls first, so that freed memory goes back to the system after 0.6 seconds.
///
/// It is longer than the steps that page faults cost most, and shorter than those of 1024x1024, where mimalloc's own
/// second would keep 80 MB more. The environment variable `MIMALLOC_PURGE_DELAY`, in milliseconds, comes before it.
pub fn begin() {
    #[cfg(unix)]
    // SAFETY: sets a number that mimalloc reads when it frees; any is valid.
    unsafe {
        libmimalloc_sys::mi_option_set_default(PURGE_DELAY, MILLISECONDS);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::{MILLISECONDS, PURGE_DELAY, begin};

    const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";

    /// This test's program runs again where mimalloc knows the option by its name, so that a number that means another
    /// one in a later version is found.
    #[test]
    fn the_environment_comes_before_it() -> std::io::Result<()> {
        let delay = || {
            begin();
            // SAFETY: reads the option that `begin` has set.
            unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }
        };
        if let Ok(chosen) = std::env::var(VARIABLE) {
            assert_eq!(Ok(delay()), chosen.parse());
            return Ok(());
        }
        assert_eq!(delay(), MILLISECONDS);
        let again = Command::new(std::env::current_exe()?)
            .args(["--exact", "tests::the_environment_comes_before_it"])
            .env(VARIABLE, "1234")
            .status()?;
        assert!(again.success());
        Ok(())
    }
}
