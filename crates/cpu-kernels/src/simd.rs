//! Chooses among the vector instructions that the processor has, at run time.
//!
//! The environment variable [`LIMIT`] names the widest set to use, so that one machine can test all of them.

use std::fmt;
use std::sync::OnceLock;

/// Environment variable with the widest instruction set to use: `avx512`, `avx2` or `portable`. Without it there is no limit.
pub(crate) const LIMIT: &str = "KERNELS_SIMD";

/// Vector instructions that the processor has: sets are made by asking it, so that whoever holds one may run its code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InstructionSet(Width);

/// What loops are written for, from the narrowest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "the wider sets are those of x86-64")
)]
pub(crate) enum Width {
    /// What every processor of the target has.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512F and AVX-512VL, and what [`Width::Avx2`] has.
    Avx512,
}

/// The environment variable `KERNELS_SIMD` is none of `avx512`, `avx2` and `portable`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownInstructionSet {
    /// What it is.
    pub found: String,
}

impl fmt::Display for UnknownInstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the environment variable {LIMIT} is {:?}, expected avx512, avx2 or portable; without it the widest set that the processor has is used",
            self.found
        )
    }
}

impl std::error::Error for UnknownInstructionSet {}

/// Whether the environment variable `KERNELS_SIMD`, where it is there, names a set of instructions. A program asks at its start; what is no name is no limit
/// to the loops.
///
/// # Errors
///
/// It holds something else.
pub fn check_environment() -> Result<(), UnknownInstructionSet> {
    limit().map(drop)
}

fn limit() -> Result<Option<Width>, UnknownInstructionSet> {
    std::env::var_os(LIMIT)
        .map(|name| width_of(&name.to_string_lossy()))
        .transpose()
}

fn width_of(name: &str) -> Result<Width, UnknownInstructionSet> {
    Width::named(name).ok_or_else(|| UnknownInstructionSet {
        found: name.to_owned(),
    })
}

impl Width {
    fn named(name: &str) -> Option<Self> {
        match name {
            "portable" => Some(Self::Portable),
            "avx2" => Some(Self::Avx2),
            "avx512" => Some(Self::Avx512),
            _ => None,
        }
    }
}

impl InstructionSet {
    /// The widest set that the processor has and [`LIMIT`] allows, read once. What is no set's name is no limit: [`check_environment`] tells.
    pub fn detect() -> Self {
        static DETECTED: OnceLock<InstructionSet> = OnceLock::new();
        *DETECTED.get_or_init(|| match limit() {
            Ok(Some(limit)) => Self(Self::widest().0.min(limit)),
            Ok(None) | Err(_) => Self::widest(),
        })
    }

    /// All sets that the processor has, from the narrowest to the widest.
    #[cfg(test)]
    pub fn available() -> impl Iterator<Item = Self> {
        [Width::Portable, Width::Avx2, Width::Avx512]
            .into_iter()
            .map(Self)
            .filter(|set| *set <= Self::widest())
    }

    /// Which set it is.
    pub fn width(self) -> Width {
        self.0
    }

    /// The widest set that the processor has.
    fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                return Self(Width::Avx512);
            }
            return Self(Width::Avx2);
        }
        Self(Width::Portable)
    }
}

/// A loop that the compiler vectorizes.
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
    match InstructionSet::detect().width() {
        // SAFETY: the processor has been found to have what the function enables.
        Width::Avx512 => unsafe { run_avx512(kernel) },
        // SAFETY: the processor has been found to have AVX2, FMA and F16C, which the function enables.
        Width::Avx2 => unsafe { run_avx2(kernel) },
        Width::Portable => kernel.run::<false>(),
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
#[target_feature(enable = "avx512f,avx512vl,avx2,fma,f16c")]
fn run_avx512<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn run_avx2<K: Kernel>(kernel: K) {
    kernel.run::<true>();
}

#[cfg(test)]
mod tests {
    use super::{InstructionSet, Width, width_of};

    #[test]
    fn sets_are_ordered_by_width() {
        assert!(Width::named("portable") < Width::named("avx2"));
        assert!(Width::named("avx2") < Width::named("avx512"));
        assert!(InstructionSet::available().is_sorted());
    }

    #[test]
    fn an_unknown_limit_is_named() {
        let text = width_of("sse").expect_err("no such set").to_string();
        assert!(text.contains("KERNELS_SIMD is \"sse\""), "{text}");
        assert!(width_of("avx2").is_ok_and(|width| width == Width::Avx2));
    }
}
