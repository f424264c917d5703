//! What all programs need that is no option of theirs. The programs are the package's examples.

/// What every program does first: [`end_on_closed_pipe`] and [`cpu_kernels::keep_freed_memory`].
pub fn start() {
    end_on_closed_pipe();
    cpu_kernels::keep_freed_memory();
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
