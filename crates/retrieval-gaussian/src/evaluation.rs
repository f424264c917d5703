use std::collections::BTreeSet;

use crate::{Ranking, RetrievalError};

/// A ranking with what it should have found.
#[derive(Clone, Copy, Debug)]
pub struct EvaluatedQuery<'a> {
    /// What was found: all models for [`Evaluation::map_all`] to mean what it says, at least 10 for the others.
    pub ranking: &'a Ranking,
    /// The model that the query comes from.
    pub expected: &'a str,
    /// All models that count as right for mAP: those that share a label with `expected`, that one included.
    pub relevant: &'a BTreeSet<String>,
}

/// Accuracies and mean average precisions as the content-based search paper reports them (Lu et al. 2023, section 5;
/// its `eval.py` and `metrics.py`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Share of queries whose own model comes first.
    pub top_1: f64,
    /// Share of queries whose own model is among the first five.
    pub top_5: f64,
    /// Share of queries whose own model is among the first ten.
    pub top_10: f64,
    /// [`mean_average_precision`] at 5.
    pub map_5: f64,
    /// [`mean_average_precision`] at 10.
    pub map_10: f64,
    /// [`mean_average_precision`] over all models listed.
    pub map_all: f64,
}

impl Evaluation {
    /// Of a set of queries.
    ///
    /// # Errors
    /// When there are no queries, or one has no relevant models.
    pub fn of(queries: &[EvaluatedQuery<'_>]) -> Result<Self, RetrievalError> {
        Ok(Self {
            top_1: top_k_accuracy(queries, 1)?,
            top_5: top_k_accuracy(queries, 5)?,
            top_10: top_k_accuracy(queries, 10)?,
            map_5: mean_average_precision(queries, 5)?,
            map_10: mean_average_precision(queries, 10)?,
            map_all: mean_average_precision(queries, usize::MAX)?,
        })
    }
}

/// Share of queries whose own model is among the first `k`.
///
/// # Errors
/// When there are no queries.
pub fn top_k_accuracy(queries: &[EvaluatedQuery<'_>], k: usize) -> Result<f64, RetrievalError> {
    mean(queries, |query| {
        let position = query.ranking.position(query.expected);
        Ok(f64::from(u8::from(position.is_some_and(|p| p < k))))
    })
}

/// mAP@k: the mean over queries of `sum_{j <= k} P(j) rel(j) / min(k, R)`, with `P(j)` the precision among the first
/// `j`, `rel(j)` whether the `j`-th model is relevant, and `R` the number of relevant models.
///
/// # Errors
/// When there are no queries, or one has no relevant models.
pub fn mean_average_precision(
    queries: &[EvaluatedQuery<'_>],
    k: usize,
) -> Result<f64, RetrievalError> {
    mean(queries, |query| {
        if query.relevant.is_empty() {
            return Err("no model is relevant, expected at least its own".to_owned());
        }
        let mut found = 0.0;
        let mut sum = 0.0;
        for (index, ranked) in query.ranking.models.iter().take(k).enumerate() {
            if query.relevant.contains(&ranked.model) {
                found += 1.0;
                sum += found / (index + 1) as f64;
            }
        }
        Ok(sum / query.relevant.len().min(k).max(1) as f64)
    })
}

fn mean(
    queries: &[EvaluatedQuery<'_>],
    value: impl Fn(&EvaluatedQuery<'_>) -> Result<f64, String>,
) -> Result<f64, RetrievalError> {
    if queries.is_empty() {
        return Err(RetrievalError::EmptyQuery);
    }
    let mut sum = 0.0;
    for (index, query) in queries.iter().enumerate() {
        sum += value(query).map_err(|reason| RetrievalError::Evaluation {
            query: index,
            reason,
        })?;
    }
    Ok(sum / queries.len() as f64)
}
