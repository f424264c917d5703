use serde::{Deserialize, Serialize};

/// How a model is scored for a query feature `q`, from its mean `mu`, covariance `Sigma` and, for one of them, samples.
/// Larger is better.
///
/// Source: Lu et al., "Content-based search for deep generative models" (SIGGRAPH Asia 2023) and
/// `modelsearch/retrieval.py` of its code. `t` is [`SearchOptions::inverse_temperature`]; hats are L2-normalized
/// vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetrievalMethod {
    /// `log N(q; mu, Sigma + ridge I)`; `q` is not normalized further.
    GaussianDensity,
    /// `log mean_i exp(t q̂ . sample_i)`.
    ///
    /// Differs from the published code, which returns the mean itself: at `t` = 100 that overflows f32 and at `t` > 700
    /// f64. The order is the same.
    MonteCarlo,
    /// `exp(q̂ . mu-hat)`.
    FirstMoment,
    /// `t q̂ . mu + t^2 / 2 q̂ . Sigma q̂`: the logarithm of what Monte Carlo tends to for normal features; `mu` is not
    /// normalized.
    FirstAndSecondMoment,
}

/// `t` = 100, the scale of CLIP's logits, to which the published code defaults.
pub const PUBLISHED_INVERSE_TEMPERATURE: f64 = 100.0;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchOptions {
    /// The score.
    pub method: RetrievalMethod,
    /// `t` of the [`RetrievalMethod`]s that have one, above zero. Where it is infinite, as the published code has it,
    /// Monte Carlo gives the largest cosine (`log` of the published value) and the first and second moment give
    /// `q̂ . Sigma q̂` alone. JSON has no infinity.
    pub inverse_temperature: f64,
    /// How many of the best models a [`Ranking`](crate::Ranking) lists; `None` for all.
    pub limit: Option<usize>,
    /// Score exactly only this many models, those of the largest [`RetrievalMethod::FirstMoment`] score; `None` for
    /// all.
    ///
    /// For indices beyond memory: the shortlist reads `4 d` bytes of a model instead of all `d^2`. A model whose
    /// samples vary widely about a mean that is far from the query can be missed; `docs/results.md` has the recall on
    /// synthetic models. Measure it on yours by searching with and without.
    pub shortlist: Option<usize>,
}

impl Default for SearchOptions {
    /// The Gaussian density, which the paper found best.
    fn default() -> Self {
        Self::new(RetrievalMethod::GaussianDensity)
    }
}

impl SearchOptions {
    /// The published settings of `method`: all models, scored exactly.
    pub fn new(method: RetrievalMethod) -> Self {
        Self {
            method,
            inverse_temperature: PUBLISHED_INVERSE_TEMPERATURE,
            limit: None,
            shortlist: None,
        }
    }
}
