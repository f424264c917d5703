/// Models in the order of their scores, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Best first; models of equal scores in the order in which they were added.
    pub models: Vec<RankedModel>,
}

/// One line of a [`Ranking`].
#[derive(Clone, Debug, PartialEq)]
pub struct RankedModel {
    /// Its name in the index.
    pub model: String,
    /// The method's score; larger is better.
    pub score: f64,
}

impl Ranking {
    /// The position of a model, 0 for the best; `None` when it is not listed.
    pub fn position(&self, model: &str) -> Option<usize> {
        self.models.iter().position(|m| m.model == model)
    }
}

/// The best `limit` of `(position, score)`, best first; NaN, which only a damaged factor can give, comes last.
pub(crate) fn best(mut scored: Vec<(usize, f64)>, limit: usize) -> Vec<(usize, f64)> {
    let key = |score: f64| {
        if score.is_nan() {
            f64::NEG_INFINITY
        } else {
            score
        }
    };
    let order =
        |a: &(usize, f64), b: &(usize, f64)| key(b.1).total_cmp(&key(a.1)).then(a.0.cmp(&b.0));
    if limit == 0 {
        return Vec::new();
    }
    if limit < scored.len() {
        scored.select_nth_unstable_by(limit - 1, order);
        scored.truncate(limit);
    }
    scored.sort_unstable_by(order);
    scored
}
