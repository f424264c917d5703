use feature_stats::MeanCovariance;
use ndarray::{Array2, ArrayView2};

/// What models are ranked for.
///
/// Every part gives each model a score by the chosen method; a query of several parts takes their weighted sum.
///
/// ```
/// use retrieval_gaussian::Query;
/// use ndarray::array;
///
/// let image = [0.6f32, 0.8];
/// let few_shot = array![[0.6f32, 0.8], [0.8, 0.6]];
/// let query = Query::combination([
///     (1.0, Query::feature(&image)),
///     (0.5, Query::feature_set(few_shot.view())),
///     (-0.5, Query::model("photographs of cats")),
/// ]);
/// # let _ = query;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(crate) parts: Vec<(f64, Part)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// `[n, input_dimension]`: the mean of the scores.
    Features(Array2<f32>),
    Model(String),
    Statistics(MeanCovariance),
}

impl Query {
    /// One feature vector of an image, or of a text where the network puts texts and images into one space, of the
    /// index's input dimension.
    pub fn feature(feature: &[f32]) -> Self {
        let row = ArrayView2::from_shape((1, feature.len()), feature).expect("one row of all");
        Self::feature_set(row)
    }

    /// Several images that stand for one thing, such as a few-shot training set, `[n, input_dimension]`: the mean of
    /// their scores.
    pub fn feature_set(features: ArrayView2<'_, f32>) -> Self {
        Self::of(Part::Features(features.to_owned()))
    }

    /// Models like one of the index, which comes out on top itself as a rule.
    ///
    /// For [`GaussianDensity`](crate::RetrievalMethod::GaussianDensity) the score is the expectation of the log-density
    /// over the features of the query model, `log N(mu_q; mu, S) - tr(S^-1 Sigma_q) / 2` with `S = Sigma + ridge I`. A
    /// large set of its samples would get the same, and the order is that of the Kullback-Leibler divergence from it.
    /// The other scores take the query model's mean feature for `q`.
    pub fn model(name: impl Into<String>) -> Self {
        Self::of(Part::Model(name.into()))
    }

    /// As [`model`](Self::model), for a model outside the index: statistics of its features, of the index's input
    /// dimension.
    pub fn statistics(statistics: MeanCovariance) -> Self {
        Self::of(Part::Statistics(statistics))
    }

    /// The weighted sum of queries' scores; a negative weight means unlike. Weights are not normalized.
    pub fn combination(queries: impl IntoIterator<Item = (f64, Query)>) -> Self {
        let parts = queries.into_iter().flat_map(|(weight, query)| {
            query
                .parts
                .into_iter()
                .map(move |(inner, part)| (weight * inner, part))
        });
        Self {
            parts: parts.collect(),
        }
    }

    fn of(part: Part) -> Self {
        Self {
            parts: vec![(1.0, part)],
        }
    }
}
