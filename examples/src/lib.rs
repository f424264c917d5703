//! What all programs need that is no option of theirs. The programs are the package's examples.

/// What every program does first: [`end_on_closed_pipe`] and [`keep_freed_memory`].
pub fn start() {
    end_on_closed_pipe();
    keep_freed_memory();
}

/// Ends the process quietly when the reader of its output has gone, as in `search | head -1`.
///
/// Rust's runtime ignores the signal SIGPIPE, so that `println!` fails instead and panics. This restores the system's default, which other
/// command-line programs have. Where there are no signals this does nothing.
pub fn end_on_closed_pipe() {
    #[cfg(unix)]
    // SAFETY: sets the default action, in which no code of ours runs; nothing else in the process has a handler for this signal.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Keeps freed memory in the process instead of handing it back to the system.
///
/// A training or inversion step frees what the next one takes again: some hundred megabytes of activations. With glibc's defaults they
/// come from the system page by page every time, which costs a tenth of a step's time and more. Elsewhere this does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// glibc accepts no larger threshold.
        const LARGEST_FROM_HEAP: libc::c_int = 32 << 20;
        // SAFETY: changes two parameters of the allocator. A refused one leaves the default, which is correct too.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_FROM_HEAP);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
