use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::index::{ModelView, Samples};
use crate::prepared_query::PreparedQueries;
use crate::ranking::best;
use crate::score::{Scorer, Scratch};
use crate::{Index, Query, RankedModel, Ranking, RetrievalError, RetrievalMethod, SearchOptions};

/// Fewer models than this are not worth handing to another thread: 32 triangles at d = 256 take 100 microseconds.
const MODELS_PER_TASK: usize = 32;

impl Index {
    /// Ranks the models for a query.
    ///
    /// # Errors
    /// When the query does not fit the index or names a model that is not there, or Monte Carlo meets a model without
    /// samples.
    pub fn search(
        &self,
        query: &Query,
        options: &SearchOptions,
    ) -> Result<Ranking, RetrievalError> {
        let mut rankings = self.search_many(std::slice::from_ref(query), options)?;
        Ok(rankings.pop().expect("one ranking for one query"))
    }

    /// Ranks the models for each of several queries, which are scored together: every factor is read once for all of
    /// them.
    ///
    /// # Errors
    /// As [`search`](Self::search), for any of the queries.
    pub fn search_many(
        &self,
        queries: &[Query],
        options: &SearchOptions,
    ) -> Result<Vec<Ranking>, RetrievalError> {
        let t = options.inverse_temperature;
        if t.is_nan() || t <= 0.0 {
            return Err(RetrievalError::InvalidSetting {
                what: "the inverse temperature",
                found: t.to_string(),
                expected: "a number above zero",
            });
        }
        let limit = options.limit.unwrap_or(usize::MAX);
        let present = self.present();
        match options.shortlist {
            Some(length)
                if length < present.len() && options.method != RetrievalMethod::FirstMoment =>
            {
                let first = self.score(queries, &present, RetrievalMethod::FirstMoment, t)?;
                let lists = queries.iter().zip(first);
                lists
                    .map(|(query, scores)| {
                        let mut shortlist: Vec<usize> =
                            best(scores, length).into_iter().map(|s| s.0).collect();
                        // In the order of the file, which is how it is read fastest.
                        shortlist.sort_unstable();
                        let exact =
                            self.score(std::slice::from_ref(query), &shortlist, options.method, t)?;
                        Ok(exact
                            .into_iter()
                            .map(|scores| self.ranking(scores, limit))
                            .next()
                            .expect("one query"))
                    })
                    .collect()
            }
            _ => {
                let scores = self.score(queries, &present, options.method, t)?;
                Ok(scores
                    .into_iter()
                    .map(|scores| self.ranking(scores, limit))
                    .collect())
            }
        }
    }

    /// Log-densities of features `[n, input_dimension]` under one model: what [`search`](Self::search) gives it by
    /// [`GaussianDensity`](RetrievalMethod::GaussianDensity) for each of them, without looking at the others.
    ///
    /// # Errors
    /// When there is no such model, or the features do not fit the index.
    pub fn log_densities(
        &self,
        model: &str,
        features: ArrayView2<'_, f32>,
    ) -> Result<Vec<f64>, RetrievalError> {
        let position = self.position(model)?;
        let rows = features.axis_chunks_iter(ndarray::Axis(0), 1);
        let queries: Vec<Query> = rows.map(Query::feature_set).collect();
        let scores = self.score(&queries, &[position], RetrievalMethod::GaussianDensity, 1.0)?;
        Ok(scores
            .into_iter()
            .flatten()
            .map(|(_, score)| score)
            .collect())
    }

    fn ranking(&self, scores: Vec<(usize, f64)>, limit: usize) -> Ranking {
        let models = best(scores, limit)
            .into_iter()
            .map(|(position, score)| RankedModel {
                model: self.name(position).to_owned(),
                score,
            });
        Ranking {
            models: models.collect(),
        }
    }

    /// For each query, the models at `positions` with their scores.
    fn score(
        &self,
        queries: &[Query],
        positions: &[usize],
        method: RetrievalMethod,
        inverse_temperature: f64,
    ) -> Result<Vec<Vec<(usize, f64)>>, RetrievalError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        let prepared = PreparedQueries::new(self, queries)?;
        if method == RetrievalMethod::MonteCarlo {
            self.check_samples(positions)?;
        }
        let scorer = Scorer {
            method,
            inverse_temperature,
            ridge: self.settings().ridge().value(),
            dimension: self.settings().dimension(),
            queries: &prepared,
        };
        // [model, query]: each task writes what it has just computed.
        let mut scores = vec![0.0; positions.len() * queries.len()];
        scores
            .par_chunks_mut(queries.len())
            .zip(positions)
            .with_min_len(MODELS_PER_TASK)
            .for_each_init(Scratch::default, |scratch, (scores, position)| {
                scorer.score(self.model(*position), scratch, scores);
            });
        let of_query = |query: usize| {
            let column = scores.iter().skip(query).step_by(queries.len());
            positions.iter().copied().zip(column.copied()).collect()
        };
        Ok((0..queries.len()).map(of_query).collect())
    }

    fn check_samples(&self, positions: &[usize]) -> Result<(), RetrievalError> {
        let is_empty = |model: ModelView<'_>| match model.samples {
            Samples::F32(samples) => samples.is_empty(),
            Samples::F16(samples) => samples.is_empty(),
        };
        match positions.iter().find(|p| is_empty(self.model(**p))) {
            None => Ok(()),
            Some(position) => Err(RetrievalError::NoSamples {
                model: self.name(*position).to_owned(),
            }),
        }
    }
}
