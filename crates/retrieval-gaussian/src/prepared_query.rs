//! Queries in the coordinates in which models are scored, with everything computed that does not depend on the model.

use feature_stats::{MeanCovariance, SymmetricEigen};
use ndarray::Array2;

use crate::query::Part;
use crate::settings::normalized;
use crate::{Index, Query, RetrievalError};

/// Several queries whose features are scored together: each factor is read once for all of them.
#[derive(Clone, Debug)]
pub(crate) struct PreparedQueries {
    /// `[m, d]`, one after another.
    pub(crate) features: Vec<f32>,
    /// The same, each of length 1.
    pub(crate) normalized: Vec<f32>,
    /// Root factors of the covariances of query models: rows are the columns `a` of `A` with `A A^T = Sigma_q`,
    /// `[r, d]`.
    pub(crate) roots: Vec<Vec<f32>>,
    /// Of each query.
    pub(crate) terms: Vec<Vec<Term>>,
}

/// `weight` times the score of a feature, less the trace of a covariance where it is the mean of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) weight: f64,
    pub(crate) feature: usize,
    pub(crate) root: Option<usize>,
}

impl PreparedQueries {
    pub(crate) fn new(index: &Index, queries: &[Query]) -> Result<Self, RetrievalError> {
        let mut prepared = Self {
            features: Vec::new(),
            normalized: Vec::new(),
            roots: Vec::new(),
            terms: Vec::new(),
        };
        for query in queries {
            let mut terms = Vec::new();
            for (weight, part) in &query.parts {
                if !weight.is_finite() {
                    return Err(RetrievalError::NonFinite {
                        what: "a query's weight",
                        index: terms.len(),
                        value: *weight,
                    });
                }
                prepared.add_part(index, *weight, part, &mut terms)?;
            }
            if terms.is_empty() {
                return Err(RetrievalError::EmptyQuery);
            }
            prepared.terms.push(terms);
        }
        Ok(prepared)
    }

    /// How many features there are in all queries.
    pub(crate) fn feature_count(&self, dimension: usize) -> usize {
        self.features.len() / dimension
    }

    fn add_part(
        &mut self,
        index: &Index,
        weight: f64,
        part: &Part,
        terms: &mut Vec<Term>,
    ) -> Result<(), RetrievalError> {
        match part {
            Part::Features(rows) => {
                let rows = index.settings().prepare_rows(rows.view())?;
                if rows.is_empty() {
                    return Err(RetrievalError::EmptyQuery);
                }
                for row in rows.rows() {
                    let feature =
                        self.add_feature(row.as_slice().expect("made in standard layout"));
                    terms.push(Term {
                        weight: weight / rows.nrows() as f64,
                        feature,
                        root: None,
                    });
                }
                Ok(())
            }
            Part::Model(name) => self.add_statistics(weight, &index.statistics(name)?, terms),
            Part::Statistics(statistics) => {
                if statistics.dimension() != index.settings().input_dimension {
                    return Err(RetrievalError::WrongDimension {
                        what: "the query's mean",
                        found: statistics.dimension(),
                        expected: index.settings().input_dimension,
                    });
                }
                let statistics = index.settings().prepare_statistics(statistics);
                self.add_statistics(
                    weight,
                    &statistics.map_err(RetrievalError::QueryStatistics)?,
                    terms,
                )
            }
        }
    }

    fn add_feature(&mut self, row: &[f32]) -> usize {
        self.features.extend(row);
        self.normalized.extend(normalized(row));
        self.features.len() / row.len() - 1
    }

    fn add_statistics(
        &mut self,
        weight: f64,
        statistics: &MeanCovariance,
        terms: &mut Vec<Term>,
    ) -> Result<(), RetrievalError> {
        let mean: Vec<f32> = statistics.mean().iter().map(|v| *v as f32).collect();
        let feature = self.add_feature(&mean);
        let eigen = SymmetricEigen::new(statistics.covariance())
            .map_err(RetrievalError::QueryStatistics)?;
        // Rounding of the index, in f16 above all, leaves eigenvalues below zero by far more than a square root allows:
        // here they count as none.
        let scales = eigen.values().mapv(|v| v.max(0.0).sqrt());
        let root: Array2<f64> = eigen.vectors() * &scales;
        self.roots
            .push(root.t().iter().map(|v| *v as f32).collect());
        terms.push(Term {
            weight,
            feature,
            root: Some(self.roots.len() - 1),
        });
        Ok(())
    }
}
