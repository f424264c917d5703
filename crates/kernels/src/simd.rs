//! Runs a kernel with the widest vector instructions that the processor has, found at run time.

/// A loop that the compiler vectorises.
///
/// `run` must be `#[inline(always)]`: it is compiled once for each instruction set inside a function that enables it.
pub(crate) trait Kernel {
    /// Does the work. `FUSED` says that [`f32::mul_add`] is one instruction; without it, it would be a slow library call.
    fn run<const FUSED: bool>(self);
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Runs `kernel`.
#[cfg(target_arch = "x86_64")]
pub(crate) fn run<K: Kernel>(kernel: K) {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
        // SAFETY: the processor has just been found to have what the function enables.
        unsafe { run_avx512(kernel) }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        unsafe { run_avx2(kernel) }
    } else {
        kernel.run::<false>();
    }
}

/// Runs `kernel`; every 64-bit Arm processor has fused vector instructions.
#[cfg(target_arch = "aarch64")]
pub(crate) fn run<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

/// Runs `kernel` with what every processor of the target has.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn run<K: Kernel>(kernel: K) {
    kernel.run::<false>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn run_avx512<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}
