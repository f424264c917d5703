//! The table of means.

use serde::Serialize;

use super::super::claims::ALL_IMAGES;
use super::super::metric::Metric;
use super::super::results::CategoryResults;
use crate::markdown;
use crate::statistics::Estimate;

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// A category, or `all`.
    pub category: String,
    /// How many it has.
    pub images: usize,
    /// Of the models that they were inverted with.
    pub rank: usize,
    /// In the order of the metrics.
    pub estimates: Vec<MetricEstimate>,
}

/// The mean of a metric.
#[derive(Clone, Debug, Serialize)]
pub struct MetricEstimate {
    /// What is estimated.
    pub metric: Metric,
    /// Its mean.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Means of each category at each rank, and of all images where there are several categories.
pub fn of(results: &[CategoryResults], ranks: &[usize]) -> Vec<Line> {
    let mut scopes: Vec<(&str, &[CategoryResults])> = results
        .iter()
        .map(|category| (category.name.as_str(), std::slice::from_ref(category)))
        .collect();
    if results.len() > 1 {
        scopes.push((ALL_IMAGES, results));
    }
    let mut lines = Vec::new();
    for (name, categories) in scopes {
        for (position, rank) in ranks.iter().enumerate() {
            let inversions = || categories.iter().flat_map(|c| &c.inversions[position]);
            let estimates = Metric::ALL.into_iter().filter_map(|metric| {
                let values: Vec<f64> = inversions().map(|k| metric.of(&k.measures)).collect();
                let estimate = Estimate::of(&values)?;
                Some(MetricEstimate { metric, estimate })
            });
            lines.push(Line {
                category: name.to_owned(),
                images: inversions().count(),
                rank: *rank,
                estimates: estimates.collect(),
            });
        }
    }
    lines
}

/// Mean and standard error.
pub fn table(lines: &[Line]) -> String {
    let mut header = vec!["category", "images", "rank"];
    header.extend(Metric::ALL.map(Metric::name));
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let estimates = line.estimates.iter();
            let cells = estimates.map(|cell| cell.estimate.text(cell.metric.digits()));
            let first = [
                line.category.clone(),
                line.images.to_string(),
                line.rank.to_string(),
            ];
            first.into_iter().chain(cells).collect()
        })
        .collect();
    format!("{}\n", markdown::table(&header, &rows))
}
