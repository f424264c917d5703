use burn::tensor::{Device, Tensor, TensorData};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::{FittedLogisticRegression, LogisticRegression};
use ndarray_of_linfa::{Array1, Array2};
use serde::{Deserialize, Serialize};
use stylegan2::{Generator, NoiseMode, RandomState, Truncation};

use super::{VisionBackbone, VisionBackboneKind};
use crate::random::{Stream, below, stream};
use crate::{ImageSet, TrainingError};

/// Images that pass a network together.
const BATCH: usize = 16;
/// Iterations of the optimizer, as in the authors' code.
const MAX_ITERATIONS: u64 = 5000;
/// Largest gradient of a fit that has converged, scikit-learn's default.
const GRADIENT_TOLERANCE: f64 = 1e-4;
/// Probabilities are kept this far from 0 and 1, so that one confident mistake costs a finite cross-entropy.
const LEAST_PROBABILITY: f64 = 1e-12;

/// How well a linear classifier tells real from generated images by a frozen network's features (Kumari et al. 2022,
/// section 3.2): the network whose features tell them apart best is the one to add to the discriminators next.
///
/// Logistic regression with an L2 penalty, `C sum(loss) + |w|^2 / 2`, is fitted to one half of the images and judged on
/// the other; the result is the mean over several splits.
///
/// Differs from the authors' code: the same generated images are split anew for every repeat, where they generate
/// others.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::{Device, Tensor};
/// use vision_aided_finetune::vision_aided::LinearProbe;
///
/// let device = Device::flex();
/// let real = Tensor::<2>::full([20, 3], 2.0, &device);
/// let generated = Tensor::<2>::full([20, 3], -2.0, &device);
/// assert_eq!(LinearProbe::default().score(real, generated)?.accuracy, 1.0);
/// # }
/// # Ok::<(), vision_aided_finetune::TrainingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearProbe {
    /// Weight of the loss against the penalty; 0.2 as published.
    pub c: f64,
    /// Splits that the result is the mean of; 3 as published.
    pub repeats: usize,
    /// Most images of each kind.
    pub images: usize,
    /// Start of all random numbers: latents and splits.
    pub seed: u64,
}

impl Default for LinearProbe {
    fn default() -> Self {
        Self {
            c: 0.2,
            repeats: 3,
            images: 1000,
            seed: 0,
        }
    }
}

/// What a [`LinearProbe`] finds on the images that it was not fitted to, mean over the splits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeScore {
    /// Share of images on the right side, from 0 to 1; 0.5 is chance.
    pub accuracy: f64,
    /// Mean of `-ln p` for the probability p of what an image is; tells networks apart that all find everything.
    pub cross_entropy: f64,
}

/// A network with its score.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RankedBackbone {
    /// Which network.
    pub kind: VisionBackboneKind,
    /// How well it tells real from generated images.
    pub score: ProbeScore,
}

impl LinearProbe {
    /// Scores networks on training images and as many that the generator makes, the most discriminating network first:
    /// by accuracy, and for the same accuracy by cross-entropy.
    ///
    /// The generator and the networks are on the plain device.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn rank(
        &self,
        backbones: &[VisionBackbone],
        images: &ImageSet,
        generator: &Generator,
        device: &Device,
    ) -> Result<Vec<RankedBackbone>, TrainingError> {
        let count = images.len().min(self.images);
        // Spread over the set, whose order may mean something.
        let chosen: Vec<usize> = (0..count).map(|i| i * images.len() / count).collect();
        let real = |indices: &[usize]| images.batch(indices, &vec![false; indices.len()], device);
        let z_dim = generator.config().z_dim;
        let mut random = stream(self.seed, 0, Stream::LinearProbeLatents);
        let z = random.standard_normals(count * z_dim);
        let generated = |rows: &[usize]| {
            let values = rows
                .iter()
                .flat_map(|row| z[row * z_dim..][..z_dim].iter().copied())
                .collect();
            let z = Tensor::from_data(
                TensorData::new::<f32, _>(values, [rows.len(), z_dim]),
                device,
            );
            generator.forward(z, None, Truncation::NONE, &NoiseMode::Constant)
        };
        let rows: Vec<usize> = (0..count).collect();
        let mut ranked = Vec::with_capacity(backbones.len());
        for backbone in backbones {
            let features = |batches: Vec<Tensor<4>>| {
                let pooled = batches.into_iter().map(|batch| backbone.pooled(batch));
                Tensor::cat(pooled.collect(), 0)
            };
            let real = features(chosen.chunks(BATCH).map(real).collect());
            let generated = features(rows.chunks(BATCH).map(generated).collect());
            ranked.push(RankedBackbone {
                kind: backbone.kind(),
                score: self.score(real, generated)?,
            });
        }
        ranked.sort_by(|a, b| {
            let by_accuracy = b.score.accuracy.total_cmp(&a.score.accuracy);
            by_accuracy.then(a.score.cross_entropy.total_cmp(&b.score.cross_entropy))
        });
        Ok(ranked)
    }

    /// Scores features `[images, d]` of real and of generated images.
    ///
    /// # Errors
    /// When there are fewer than two of either, a feature is not finite, or the options are out of range.
    ///
    /// # Panics
    /// When the dimensions differ.
    pub fn score(
        &self,
        real: Tensor<2>,
        generated: Tensor<2>,
    ) -> Result<ProbeScore, TrainingError> {
        let invalid = |option, found: String, expected: &str| TrainingError::InvalidOption {
            option,
            found,
            expected: expected.into(),
        };
        if !(self.c.is_finite() && self.c > 0.0) {
            return Err(invalid("c", self.c.to_string(), "a positive number"));
        }
        if self.repeats == 0 {
            return Err(invalid("repeats", "0".into(), "at least 1"));
        }
        let [real, generated] = [rows(real), rows(generated)];
        let fewest = real.nrows().min(generated.nrows());
        if fewest < 2 {
            return Err(invalid(
                "images",
                fewest.to_string(),
                "at least 2 real and 2 generated ones, one to fit and one to judge by",
            ));
        }
        assert_eq!(
            real.ncols(),
            generated.ncols(),
            "features of real and of generated images"
        );
        let (mut accuracy, mut cross_entropy) = (0.0, 0.0);
        for repeat in 0..self.repeats {
            let mut random = stream(self.seed, repeat as u64, Stream::LinearProbeSplit);
            let [real, generated] = [&real, &generated].map(|rows| halves(rows, &mut random));
            let probe = fit(&real[0], &generated[0], self.c)?;
            let (mut right, mut loss) = (0.0, 0.0);
            for (rows, is_real) in [(&real[1], true), (&generated[1], false)] {
                let probabilities = probability_of_real(&probe, rows);
                let of_truth = probabilities.mapv(|p| if is_real { p } else { 1.0 - p });
                let weight = 0.5 / of_truth.len() as f64;
                // An image on the boundary is half right.
                let credit = of_truth.mapv(|p| if p == 0.5 { 0.5 } else { f64::from(p > 0.5) });
                right += weight * credit.sum();
                let losses = of_truth.mapv(|p| -p.max(LEAST_PROBABILITY).ln());
                loss += weight * losses.sum();
            }
            accuracy += right / self.repeats as f64;
            cross_entropy += loss / self.repeats as f64;
        }
        Ok(ProbeScore {
            accuracy,
            cross_entropy,
        })
    }
}

fn rows(features: Tensor<2>) -> Array2<f64> {
    let [count, dimension] = features.dims();
    let values: Vec<f64> = features.into_data().iter::<f64>().collect();
    Array2::from_shape_vec((count, dimension), values).expect("as many values as the shape says")
}

/// A random half of the rows, the larger one for an odd number, and the rest.
fn halves(rows: &Array2<f64>, random: &mut RandomState) -> [Array2<f64>; 2] {
    let mut order: Vec<usize> = (0..rows.nrows()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, below(random, last + 1));
    }
    let (first, second) = order.split_at(order.len().div_ceil(2));
    [first, second].map(|indices| rows.select(ndarray_of_linfa::Axis(0), indices))
}

fn fit(
    real: &Array2<f64>,
    generated: &Array2<f64>,
    c: f64,
) -> Result<FittedLogisticRegression<f64, bool>, TrainingError> {
    let records = ndarray_of_linfa::concatenate![ndarray_of_linfa::Axis(0), *real, *generated];
    let targets: Array1<bool> = (0..records.nrows()).map(|row| row < real.nrows()).collect();
    LogisticRegression::default()
        .alpha(1.0 / c)
        .max_iterations(MAX_ITERATIONS)
        .gradient_tolerance(GRADIENT_TOLERANCE)
        .fit(&Dataset::new(records, targets))
        .map_err(|e| TrainingError::LinearProbe {
            reason: e.to_string(),
        })
}

/// Of each row.
fn probability_of_real(
    probe: &FittedLogisticRegression<f64, bool>,
    rows: &Array2<f64>,
) -> Array1<f64> {
    let positive = probe.predict_probabilities(rows);
    // The library calls either of the two classes the positive one.
    if probe.labels().pos.class {
        positive
    } else {
        1.0 - positive
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn features(values: &[f32], device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), device)
    }

    /// n images at 1 against n at -1: the gradient of the penalized loss vanishes where `2 n C (1 - sigmoid(w)) = w`,
    /// and there is no intercept.
    #[test]
    fn the_fit_is_the_minimum_for_the_published_c() {
        for n in [3, 50] {
            let probe = fit(
                &Array2::from_elem((n, 1), 1.0),
                &Array2::from_elem((n, 1), -1.0),
                0.2,
            )
            .unwrap();
            let w = probe.params()[0];
            let sigmoid = 1.0 / (1.0 + (-w.abs()).exp());
            let gradient = 2.0 * n as f64 * 0.2 * (1.0 - sigmoid) - w.abs();
            // The optimizer ends at a gradient of 1e-4 of the loss, which is 1 / C times this.
            assert!(gradient.abs() < 1e-3, "{gradient} at {w}");
            assert!(probe.intercept().abs() < 1e-3);
            let real = probability_of_real(&probe, &Array2::from_elem((1, 1), 1.0));
            assert!((real[0] - sigmoid).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_found_by_chance_and_the_rest_always() {
        for (_, device) in testkit::devices() {
            let probe = LinearProbe::default();
            let same = testkit::seeded("features", 400, 1.0);
            let (a, b) = same.split_at(200);
            let chance = probe
                .score(features(a, &device), features(b, &device))
                .unwrap();
            // 3 splits of 200 images to judge by: a standard deviation of 0.5 / sqrt(200) each.
            assert!((chance.accuracy - 0.5).abs() < 0.11, "{chance:?}");
            assert!(chance.cross_entropy > 0.6, "{chance:?}");
            let shifted: Vec<f32> = b.iter().map(|v| v + 10.0).collect();
            let sure = probe
                .score(features(a, &device), features(&shifted, &device))
                .unwrap();
            assert_eq!(sure.accuracy, 1.0);
            assert!(sure.cross_entropy < 0.1, "{sure:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_splits_and_another_one_others() {
        let device = testkit::devices().remove(0).1;
        let values = testkit::seeded("overlapping", 60, 1.0);
        let (a, b) = values.split_at(30);
        let b: Vec<f32> = b.iter().map(|v| v + 0.5).collect();
        let score = |seed| {
            let probe = LinearProbe {
                seed,
                ..LinearProbe::default()
            };
            probe
                .score(features(a, &device), features(&b, &device))
                .unwrap()
        };
        assert_eq!(score(1), score(1));
        assert_ne!(score(1), score(2));
    }

    #[test]
    fn what_cannot_be_probed_is_an_error() {
        let device = testkit::devices().remove(0).1;
        let probe = LinearProbe::default();
        let good = || features(&[1.0, 2.0], &device);
        let error = probe.score(good(), features(&[1.0], &device)).unwrap_err();
        assert!(error.to_string().contains("at least 2"), "{error}");
        let error = probe
            .score(good(), features(&[1.0, f32::NAN, 0.0, f32::NAN], &device))
            .unwrap_err();
        assert!(error.to_string().contains("linear probe"), "{error}");
        for broken in [
            LinearProbe { c: 0.0, ..probe },
            LinearProbe {
                repeats: 0,
                ..probe
            },
        ] {
            assert!(broken.score(good(), good()).is_err());
        }
    }
}
