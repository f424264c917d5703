use burn::tensor::{Tensor, TensorData, activation::leaky_relu};
use feature_stats::{Cholesky, Ddof, MeanCovariance, Moments, Ridge};
use ndarray::ArrayView2;
use stylegan2::{ActivationName, Generator};
use stylegan2_ops::matmul;

use crate::InversionError;
use crate::objective::mean_square;
use crate::w_statistics::sample_w;

/// How likely latents are under the mapping network, as a normal distribution before its last activation.
///
/// The mapping network ends in a leaky ReLU of slope 0.2. Its inverse, one of slope 5, takes w to the space P of Zhu et
/// al. 2020 ("Improved StyleGAN Embedding: Where are the Good Latents?"), where random latents are close to normal.
/// With their mean `m` and the Cholesky factor `L` of their covariance, each row of w_plus has the whitened position
///
/// ```text
/// v = L^-1 (leaky_relu(w, 5) - m)
/// ```
///
/// which has mean 0 and covariance I over random latents. Any other whitening, such as the paper's by principal
/// components, differs by a rotation and gives `v` the same length. Networks that end in another activation are
/// whitened in W.
#[derive(Clone, Debug)]
pub struct LatentPrior {
    /// `[1, w_dim]`, in P.
    mean: Tensor<2>,
    /// `L^-T`, `[w_dim, w_dim]`.
    whitening: Tensor<2>,
    /// Slope of the inverse activation below 0.
    slope: f64,
}

/// Samples of the distribution: as many as the official projector takes for the mean.
const SAMPLES: usize = 10_000;
/// Seed of those samples.
const SEED: u32 = 123;
/// Added to the variances, as a share of their mean: what varies less than this counts as constant, and no pull along
/// it can be steeper.
const RELATIVE_RIDGE: f64 = 1e-4;
/// The slope of StyleGAN2's leaky ReLU, inverted.
const INVERSE_SLOPE: f64 = 5.0;

impl LatentPrior {
    /// The distribution of a generator's random latents; those of all classes, in turn, where it has any.
    ///
    /// # Errors
    /// When the latents are not finite.
    pub fn of(generator: &Generator) -> Result<Self, InversionError> {
        let slope = match generator.config().mapping_kwargs.activation {
            ActivationName::Lrelu => INVERSE_SLOPE,
            _ => 1.0,
        };
        let w = sample_w(generator, SAMPLES, SEED);
        let device = w.device();
        let [samples, w_dim] = w.dims();
        let p: Vec<f32> = leaky_relu(w, slope).into_data().iter::<f32>().collect();
        let mut moments = Moments::new(w_dim);
        let rows = ArrayView2::from_shape((samples, w_dim), &p).expect("read from this shape");
        moments.add_rows(rows)?;
        let statistics = moments.mean_covariance(Ddof::Sample)?;
        let mean_variance = statistics.covariance().diag().mean().unwrap_or(0.0);
        let ridge = Ridge::new(RELATIVE_RIDGE * mean_variance)?;
        Self::new(&statistics, ridge, slope, &device)
    }

    /// The distribution of given mean and covariance in P; `slope` is that of the inverse activation below 0, 1 for
    /// none.
    ///
    /// # Errors
    /// When the covariance with the ridge is not positive definite.
    pub fn new(
        statistics: &MeanCovariance,
        ridge: Ridge,
        slope: f64,
        device: &burn::tensor::Device,
    ) -> Result<Self, InversionError> {
        let w_dim = statistics.dimension();
        let inverse = Cholesky::new(statistics, ridge)?.inverse_lower();
        let whitening: Vec<f32> = inverse.t().iter().map(|value| *value as f32).collect();
        let mean: Vec<f32> = statistics.mean().iter().map(|v| *v as f32).collect();
        Ok(Self {
            mean: Tensor::from_data(TensorData::new(mean, [1, w_dim]), device),
            whitening: Tensor::from_data(TensorData::new(whitening, [w_dim, w_dim]), device),
            slope,
        })
    }

    /// Mean square of the whitened latents `[batch, layers, w_dim]`: `[batch]`, 1 on average for random latents of W.
    /// Differentiable.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use feature_stats::{MeanCovariance, Ridge};
    /// use inversion::LatentPrior;
    /// use ndarray::array;
    ///
    /// let statistics = MeanCovariance::new(array![1.0, 0.0], array![[4.0, 0.0], [0.0, 1.0]])?;
    /// let device = Device::flex();
    /// let prior = LatentPrior::new(&statistics, Ridge::NONE, 5.0, &device)?;
    /// // In P this is [3, -5], one and five standard deviations from the mean.
    /// let w = Tensor::<3>::from_floats([[[3.0, -1.0]]], &device);
    /// assert_eq!(prior.pull(w).into_scalar::<f32>(), (1.0 + 25.0) / 2.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// When the latents have another number of features.
    pub fn pull(&self, w_plus: Tensor<3>) -> Tensor<1> {
        let [batch, layers, w_dim] = w_plus.dims();
        let p = leaky_relu(w_plus.reshape([batch * layers, w_dim]), self.slope);
        let whitened = matmul(p - self.mean.clone(), self.whitening.clone());
        mean_square(whitened.reshape([batch, layers, w_dim]))
    }
}
