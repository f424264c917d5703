use burn::tensor::Tensor;

use crate::MetricsError;
use crate::diversity::check_distances;

/// The latent space whose paths are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathSpace {
    /// Along great circles; the points have unit norm, as the mapping network normalizes them anyway.
    Z,
    /// Along straight lines.
    W,
}

impl PathSpace {
    /// The points `t` of the way from `a` to `b`, `[batch, dimension]` all of them; `t` is `[batch, 1]`.
    ///
    /// The perceptual path length compares the images at `t` and at `t` + [`PATH_EPSILON`]; `t` is uniform in [0, 1]
    /// ("full") or 0 ("end").
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn interpolate(self, a: Tensor<2>, b: Tensor<2>, t: Tensor<2>) -> Tensor<2> {
        assert_eq!(a.dims(), b.dims(), "both ends of paths have one shape");
        assert_eq!(t.dims(), [a.dims()[0], 1], "one number a path");
        match self {
            Self::W => a.clone() + (b - a) * t,
            Self::Z => {
                let (a, b) = (unit(a), unit(b));
                let cosine = (a.clone() * b.clone()).sum_dim(1);
                let angle = cosine.clone().clamp(-1.0, 1.0).acos() * t;
                let across = unit(b - a.clone() * cosine);
                unit(a * angle.clone().cos() + across * angle.sin())
            }
        }
    }
}

fn unit(x: Tensor<2>) -> Tensor<2> {
    let norm = x.clone().square().sum_dim(1).sqrt();
    x / norm.clamp_min(f32::MIN_POSITIVE)
}

/// The step along a path, as in the official StyleGAN code.
pub const PATH_EPSILON: f64 = 1e-4;

/// Percentiles outside of which a path counts as an outlier, as in the official StyleGAN code.
const KEPT_PERCENTILES: [f64; 2] = [1.0, 99.0];

/// Perceptual path length (Karras et al., "A style-based generator architecture for generative adversarial networks",
/// 2019): the mean of `d / epsilon^2` over random paths, without the outermost percentiles, where `d` is the perceptual
/// distance of the images at `t` and `t + epsilon` of a path.
///
/// The caller generates the images and measures the distances; those of the official code are LPIPS with VGG16.
/// [`PathSpace`] gives the latents.
///
/// # Errors
/// When there is no distance, one is not finite, or epsilon is not a positive number.
///
/// ```
/// use metrics_fid::perceptual_path_length;
///
/// // Of 101 paths the smallest and the largest lie outside.
/// let mut distances = vec![2e-8; 101];
/// distances[3] = 1.0;
/// distances[50] = 0.0;
/// assert!((perceptual_path_length(&distances, 1e-4)? - 2.0).abs() < 1e-12);
/// # Ok::<(), metrics_fid::MetricsError>(())
/// ```
pub fn perceptual_path_length(distances: &[f64], epsilon: f64) -> Result<f64, MetricsError> {
    check_distances("perceptual path length", distances)?;
    if !(epsilon.is_finite() && epsilon > 0.0) {
        return Err(MetricsError::InvalidSetting {
            what: "epsilon",
            found: epsilon.to_string(),
            expected: format!("a positive number such as {PATH_EPSILON}"),
        });
    }
    let mut sorted = distances.to_vec();
    sorted.sort_by(f64::total_cmp);
    // numpy's percentile: the lower bound is the value at or below its place, the upper one that at or above.
    let [low, high] = KEPT_PERCENTILES.map(|percent| percent / 100.0 * (sorted.len() - 1) as f64);
    let (low, high) = (sorted[low.floor() as usize], sorted[high.ceil() as usize]);
    let kept = sorted.iter().filter(|d| (low..=high).contains(*d));
    let (sum, count) = kept.fold((0.0, 0usize), |(sum, count), d| (sum + d, count + 1));
    Ok(sum / count as f64 / epsilon.powi(2))
}
