//! What inversions are compared by.

use serde::Serialize;

use crate::cache::Measures;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    LpipsAlex,
    LpipsVgg,
    Psnr,
    WPlusDistance,
}

impl Metric {
    pub const ALL: [Self; 4] = [
        Self::LpipsAlex,
        Self::LpipsVgg,
        Self::Psnr,
        Self::WPlusDistance,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::LpipsAlex => "LPIPS (alex)",
            Self::LpipsVgg => "LPIPS (vgg)",
            Self::Psnr => "PSNR dB",
            Self::WPlusDistance => "distance",
        }
    }

    /// Decimals that are shown.
    pub fn digits(self) -> usize {
        match self {
            Self::LpipsAlex | Self::LpipsVgg => 4,
            Self::Psnr | Self::WPlusDistance => 2,
        }
    }

    pub fn of(self, measures: &Measures) -> f64 {
        match self {
            Self::LpipsAlex => measures.lpips_alex,
            Self::LpipsVgg => measures.lpips_vgg,
            Self::Psnr => measures.psnr,
            Self::WPlusDistance => measures.w_plus_distance,
        }
    }

    pub fn larger_is_better(self) -> bool {
        self == Self::Psnr
    }
}
