//! The table of means.

use serde::Serialize;

use crate::claims::ALL_IMAGES;
use crate::metric::Metric;
use crate::results::CategoryResults;
use crate::statistics::Estimate;
use examples::table::markdown;

/// A row of the table.
#[derive(Serialize)]
pub struct Line {
    pub category: String,
    pub images: usize,
    pub rank: usize,
    /// In the order of the metrics.
    pub estimates: Vec<MetricEstimate>,
}

#[derive(Serialize)]
pub struct MetricEstimate {
    pub metric: Metric,
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
    format!("{}\n", markdown(&header, &rows))
}
