//! Scores of one model for all features of the queries.

use crate::RetrievalMethod;
use crate::index::{ModelView, Samples};
use crate::prepared_query::PreparedQueries;
use cpu_kernels::triangle;

/// What all models are scored by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scorer<'a> {
    pub(crate) method: RetrievalMethod,
    pub(crate) inverse_temperature: f64,
    pub(crate) ridge: f64,
    pub(crate) dimension: usize,
    pub(crate) queries: &'a PreparedQueries,
}

/// Memory that is used again for each model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    residuals: Vec<f32>,
    panel: Vec<f32>,
    lengths: Vec<f32>,
    /// Of each feature of the queries.
    scores: Vec<f64>,
    /// Of each root, `tr(S^-1 Sigma_q)`.
    traces: Vec<f64>,
    vector: Vec<f64>,
    cosines: Vec<f64>,
}

impl Scorer<'_> {
    /// The score of each query into `scores`.
    pub(crate) fn score(&self, model: ModelView<'_>, scratch: &mut Scratch, scores: &mut [f64]) {
        scratch.scores.clear();
        scratch.traces.clear();
        match self.method {
            RetrievalMethod::GaussianDensity => self.gaussian_density(model, scratch),
            RetrievalMethod::MonteCarlo => self.monte_carlo(model, scratch),
            RetrievalMethod::FirstMoment => {
                first_moment(self.queries, model.mean, &mut scratch.scores)
            }
            RetrievalMethod::FirstAndSecondMoment => self.first_and_second_moment(model, scratch),
        }
        for (score, terms) in scores.iter_mut().zip(&self.queries.terms) {
            *score = terms
                .iter()
                .map(|term| {
                    let trace = term
                        .root
                        .and_then(|root| scratch.traces.get(root))
                        .unwrap_or(&0.0);
                    term.weight * (scratch.scores[term.feature] - 0.5 * trace)
                })
                .sum();
        }
    }

    fn gaussian_density(&self, model: ModelView<'_>, scratch: &mut Scratch) {
        scratch.residuals.clear();
        for feature in self.queries.features.chunks_exact(self.dimension) {
            scratch
                .residuals
                .extend(feature.iter().zip(model.mean).map(|(q, mu)| q - mu));
        }
        scratch
            .lengths
            .resize(self.queries.feature_count(self.dimension), 0.0);
        model.factor.squared_lengths(
            self.dimension,
            &scratch.residuals,
            &mut scratch.panel,
            &mut scratch.lengths,
        );
        let density = |length: &f32| model.log_normalizer - 0.5 * f64::from(*length);
        scratch.scores.extend(scratch.lengths.iter().map(density));
        for root in &self.queries.roots {
            // tr(W^T W A A^T) is the sum of the squared lengths of W a over the columns a of A.
            scratch.lengths.resize(self.dimension, 0.0);
            model.factor.squared_lengths(
                self.dimension,
                root,
                &mut scratch.panel,
                &mut scratch.lengths,
            );
            scratch
                .traces
                .push(scratch.lengths.iter().copied().map(f64::from).sum());
        }
    }

    fn monte_carlo(&self, model: ModelView<'_>, scratch: &mut Scratch) {
        for query in self.queries.normalized.chunks_exact(self.dimension) {
            scratch.cosines.clear();
            match model.samples {
                Samples::F32(samples) => {
                    let samples = samples.chunks_exact(self.dimension);
                    scratch
                        .cosines
                        .extend(samples.map(|s| dot(query, s.iter().copied())));
                }
                Samples::F16(samples) => {
                    let samples = samples.chunks_exact(self.dimension);
                    scratch
                        .cosines
                        .extend(samples.map(|s| dot(query, s.iter().map(|v| v.to_f32()))));
                }
            }
            let largest = scratch
                .cosines
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            scratch
                .scores
                .push(if self.inverse_temperature.is_infinite() {
                    largest
                } else {
                    // Relative to the largest term, no exponential overflows.
                    let t = self.inverse_temperature;
                    let sum: f64 = scratch
                        .cosines
                        .iter()
                        .map(|c| (t * (c - largest)).exp())
                        .sum();
                    t * largest + (sum / scratch.cosines.len() as f64).ln()
                });
        }
    }

    fn first_and_second_moment(&self, model: ModelView<'_>, scratch: &mut Scratch) {
        for query in self.queries.normalized.chunks_exact(self.dimension) {
            scratch.vector.clear();
            scratch.vector.extend(query.iter().copied().map(f64::from));
            let squared: f64 = scratch.vector.iter().map(|v| v * v).sum();
            // q . (Sigma + ridge I) q = |L^T q|^2.
            triangle::solve_transposed(
                self.dimension,
                |i| model.factor.value(i),
                &mut scratch.vector,
            );
            let with_ridge: f64 = scratch.vector.iter().map(|v| v * v).sum();
            let spread = with_ridge - self.ridge * squared;
            scratch
                .scores
                .push(if self.inverse_temperature.is_infinite() {
                    spread
                } else {
                    let t = self.inverse_temperature;
                    t * dot(query, model.mean.iter().copied()) + 0.5 * t * t * spread
                });
        }
    }
}

/// `exp(cos(q, mu))` of each feature of the queries.
pub(crate) fn first_moment(queries: &PreparedQueries, mean: &[f32], scores: &mut Vec<f64>) {
    let mean = crate::settings::normalized(mean);
    for query in queries.normalized.chunks_exact(mean.len()) {
        scores.push(dot(query, mean.iter().copied()).exp());
    }
}

fn dot(a: &[f32], b: impl Iterator<Item = f32>) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(b))
        .sum()
}
