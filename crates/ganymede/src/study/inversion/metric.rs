//! What inversions are compared by.

use serde::Serialize;

use super::cache::Measures;

/// A measure of an inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// LPIPS of AlexNet.
    LpipsAlex,
    /// LPIPS of VGG16.
    LpipsVgg,
    /// Peak signal-to-noise ratio, in dB.
    Psnr,
    /// Euclidean distance from the mean latent, over all layers.
    WPlusDistance,
}

impl Metric {
    /// In the order of the tables.
    pub const ALL: [Self; 4] = [
        Self::LpipsAlex,
        Self::LpipsVgg,
        Self::Psnr,
        Self::WPlusDistance,
    ];

    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LpipsAlex => "LPIPS (alex)",
            Self::LpipsVgg => "LPIPS (vgg)",
            Self::Psnr => "PSNR dB",
            Self::WPlusDistance => "distance",
        }
    }

    /// Decimals that are shown.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::LpipsAlex | Self::LpipsVgg => 4,
            Self::Psnr | Self::WPlusDistance => 2,
        }
    }

    pub(super) fn of(self, measures: &Measures) -> f64 {
        match self {
            Self::LpipsAlex => measures.lpips_alex,
            Self::LpipsVgg => measures.lpips_vgg,
            Self::Psnr => measures.psnr,
            Self::WPlusDistance => measures.w_plus_distance,
        }
    }

    /// Of the others smaller is.
    pub fn larger_is_better(self) -> bool {
        self == Self::Psnr
    }
}
