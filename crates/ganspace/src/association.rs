use ndarray::ArrayView2;

use crate::GanspaceError;
use crate::sample_checks::{check_finite, check_rows_alike, mean_and_stdev};

/// How a component goes together with an attribute in samples, without any edit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Association {
    /// The component, counted from 0.
    pub component: usize,
    /// Pearson's correlation of the component's coordinate with the score, in [-1, 1]: how many standard deviations of
    /// the score go with one of the component. Of independent samples it is within `2 / sqrt(n)` of 0 by chance in 95
    /// of 100 cases.
    pub correlation: f64,
    /// Share of the component in what all components together explain of the score,
    /// `correlation^2 / sum correlation^2`, in [0, 1]: 1 where no other component has to do with the attribute.
    pub exclusivity: f64,
}

/// Ranks components by how they go together with an attribute: largest absolute correlation first.
///
/// `coordinates` `[n, k]` are those of samples along the components, `scores` `[n]` how much each sample's image has of
/// the attribute, in any unit. Principal components are uncorrelated, so their squared correlations add up to the share
/// of the score that a linear function of the components explains; directions from activations overlap, which the
/// exclusivity then shares out too.
///
/// This needs one score for each sample and no further image. It sees the attribute where samples have it, not what an
/// edit on some layers does to it: for that see [`effects`](crate::effects).
///
/// # Errors
/// When the numbers of samples differ, there are fewer than two, a number is not finite, or all scores are the same.
pub fn associations(
    coordinates: ArrayView2<'_, f64>,
    scores: &[f64],
) -> Result<Vec<Association>, GanspaceError> {
    check_rows_alike("the list of scores", scores.len(), coordinates.nrows())?;
    check_finite("a coordinate", coordinates.iter().copied())?;
    check_finite("a score", scores.iter().copied())?;
    let (mean, stdev) = mean_and_stdev("scores", scores)?;
    let count = scores.len() as f64;
    let correlations: Vec<f64> = coordinates
        .columns()
        .into_iter()
        .map(|column| {
            let column = column.to_vec();
            // A coordinate without spread goes together with nothing.
            let Ok((center, spread)) = mean_and_stdev("coordinates", &column) else {
                return 0.0;
            };
            let covariance = column
                .iter()
                .zip(scores)
                .map(|(x, score)| (x - center) * (score - mean))
                .sum::<f64>()
                / count;
            covariance / (spread * stdev)
        })
        .collect();
    let explained: f64 = correlations.iter().map(|r| r * r).sum();
    let mut associations: Vec<Association> = correlations
        .into_iter()
        .enumerate()
        .map(|(component, correlation)| Association {
            component,
            correlation,
            exclusivity: if explained > 0.0 {
                correlation * correlation / explained
            } else {
                0.0
            },
        })
        .collect();
    associations.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
    Ok(associations)
}
