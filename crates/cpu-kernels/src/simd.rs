//! Chooses among the vector instructions that the processor has, at run time.
//!
//! The environment variable [`LIMIT`] names the widest set to use, so that one machine can test all of them.

use std::fmt;
use std::sync::OnceLock;

/// Environment variable with the widest instruction set to use, one of [`Width::OF_TARGET`]. Without it there is no
/// limit.
pub(crate) const LIMIT: &str = "KERNELS_SIMD";

/// Vector instructions that the processor has: sets are made by asking it, so that whoever holds one may run its code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InstructionSet(Width);

/// What loops are written for, from the narrowest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    /// What every processor of the target has, without fused multiply-adds.
    Portable,
    /// NEON, whose multiply-adds are fused.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F and AVX-512VL, and what [`Width::Avx2`] has.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The environment variable `KERNELS_SIMD` is no set of the target: `avx512`, `avx2` and `portable` on x86-64, `neon`
/// and `portable` on 64-bit Arm, `portable` elsewhere.
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
            "the environment variable {LIMIT} is {:?}, expected {}; without it the widest set that the processor has is used",
            self.found,
            names()
        )
    }
}

impl std::error::Error for UnknownInstructionSet {}

/// Whether the environment variable `KERNELS_SIMD`, where it is there, names a set of instructions. A program asks at
/// its start; what is no name is no limit to the loops.
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

/// The names of all sets of the target, the widest first, for a message.
fn names() -> String {
    let mut names: Vec<_> = Width::OF_TARGET.iter().map(|(name, _)| *name).collect();
    names.reverse();
    match &names[..] {
        [wider @ .., last] if !wider.is_empty() => format!("{} or {last}", wider.join(", ")),
        _ => names.concat(),
    }
}

impl Width {
    /// The sets of the target and their names, from the narrowest to the widest.
    const OF_TARGET: &[(&str, Self)] = &[
        ("portable", Self::Portable),
        #[cfg(target_arch = "aarch64")]
        ("neon", Self::Neon),
        #[cfg(target_arch = "x86_64")]
        ("avx2", Self::Avx2),
        #[cfg(target_arch = "x86_64")]
        ("avx512", Self::Avx512),
    ];

    fn named(name: &str) -> Option<Self> {
        let mut sets = Self::OF_TARGET.iter();
        sets.find(|(set, _)| *set == name).map(|(_, width)| *width)
    }
}

impl InstructionSet {
    /// The widest set that the processor has and [`LIMIT`] allows, read once. What is no set's name is no limit:
    /// [`check_environment`] tells.
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
        Width::OF_TARGET
            .iter()
            .map(|(_, width)| Self(*width))
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
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            return Self(Width::Neon);
        }
        Self(Width::Portable)
    }
}

/// A loop that the compiler vectorizes.
///
/// `run` must be `#[inline(always)]`: it is compiled once for each instruction set inside a function that enables it.
pub(crate) trait Kernel {
    /// Does the work. `FUSED` says that [`f32::mul_add`] is one instruction; without it, it would be a slow library
    /// call.
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

// Functions that are not compiled for a set of their own use NEON, too.
#[cfg(target_arch = "aarch64")]
const _: () = assert!(cfg!(target_feature = "neon"), "the target has NEON");

/// Runs `kernel`.
///
/// There is nothing to enable, as all that is compiled for the target may use NEON. So what the compiler makes of a
/// loop with fused multiply-adds, `fmla` of four lanes, is its NEON form: filters, depthwise convolutions and inner
/// products have no other.
#[cfg(target_arch = "aarch64")]
pub(crate) fn run<K: Kernel>(kernel: K) {
    match InstructionSet::detect().width() {
        Width::Neon => kernel.run::<true>(),
        Width::Portable => kernel.run::<false>(),
    }
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
        assert!(Width::OF_TARGET.is_sorted_by_key(|(_, width)| width));
        assert!(InstructionSet::available().is_sorted());
        assert_eq!(
            InstructionSet::available()
                .next()
                .map(InstructionSet::width),
            Some(Width::Portable)
        );
    }

    #[test]
    fn every_set_of_the_target_has_a_name() {
        for (name, width) in Width::OF_TARGET {
            assert!(width_of(name).is_ok_and(|found| found == *width), "{name}");
        }
        #[cfg(target_arch = "aarch64")]
        assert!(width_of("neon").is_ok_and(|width| width == Width::Neon));
        #[cfg(target_arch = "x86_64")]
        assert!(width_of("avx2").is_ok_and(|width| width == Width::Avx2));
    }

    #[test]
    fn an_unknown_limit_is_named() {
        let text = width_of("sse").expect_err("no such set").to_string();
        assert!(text.contains("KERNELS_SIMD is \"sse\""), "{text}");
        for (name, _) in Width::OF_TARGET {
            assert!(text.contains(name), "{text}");
        }
    }
}
