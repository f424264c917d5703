/// Keeps freed memory in the process instead of handing it back to the system, in pieces of up to 32 MiB.
///
/// A step of inversion or training frees the activations that the next one takes again. With glibc's defaults they come
/// from the system page by page every time: an inversion step at 64x64, batch 16, takes 1.3 times as long. A program
/// calls this once, before its first step; libraries leave the choice to it, because it concerns the whole process.
/// Elsewhere than on Linux with glibc this does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// glibc accepts no larger threshold where pointers have 64 bits, and less elsewhere.
        const LARGEST_FROM_HEAP: libc::c_int = 32 << 20;
        // SAFETY: changes two parameters of the allocator. A refused one leaves the default, which is correct too.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_FROM_HEAP);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
