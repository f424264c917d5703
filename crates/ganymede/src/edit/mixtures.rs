//! Mixtures of components that move an attribute for as little else as possible.

use ganspace::{
    Edit, EffectTrials, GanspaceError, LatentDirections, LayerRange, effects, exclusive_mixture,
};
use ndarray::{Array1, Array2, Axis as Dimension};

use super::attribute::Attribute;
use super::outcome::Mixture;
use super::proposals::is_clear;
use super::trials::{Measured, Products, STRENGTH, Trials};
use crate::{Error, Observer};

/// Ridge of the side effects, as a share of their mean. A hundredth fits the mixture to the few latents that it was
/// found on; above one it is hardly more than the attribute's own gradient.
const RELATIVE_RIDGE: f64 = 0.3;

/// Of two mixtures whose steps have at least this cosine only the clearer one is listed.
const ALIKE: f64 = 0.8;

/// Four decimals: more would be of the few latents that it was found on, and would stand in the file of every edit.
fn rounded(weight: f64) -> f64 {
    (weight * 1e4).round() / 1e4
}

/// The weights of the mixture for the attribute of this number; none where no component moves it.
pub fn weights(products: &Products, attribute: usize) -> Result<Option<Array1<f64>>, Error> {
    let changes = products.score_changes.row(attribute);
    match exclusive_mixture(changes, products.side_effects.view(), RELATIVE_RIDGE) {
        Ok(weights) => Ok(Some(weights.mapv(rounded))),
        Err(GanspaceError::NoSpread { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// What mixtures are measured by: trials on latents that they were not found on, with each attribute's scores of the
/// unedited images, and steps in random directions.
pub struct Comparison<'a> {
    pub trials: &'a Trials<'a>,
    pub scores: &'a [Vec<f64>],
    pub at_random: &'a Measured,
}

/// For each attribute its mixture: those that move theirs reliably and rather than the rest of the picture, the clearest
/// first, and of those that do the same only one.
pub fn propose(
    products: &Products,
    directions: &LatentDirections,
    layers: LayerRange,
    comparison: &Comparison<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Mixture>, Error> {
    let Comparison {
        trials,
        scores,
        at_random,
    } = *comparison;
    let mut found: Vec<(usize, Array1<f64>, Edit)> = Vec::new();
    for attribute in 0..trials.attributes.len() {
        if let Some(weights) = weights(products, attribute)? {
            let edit = directions.mixture(weights.view(), layers)?;
            found.push((attribute, weights, edit));
        }
    }
    let edits: Vec<Edit> = found.iter().map(|(_, _, edit)| edit.clone()).collect();
    let measured = trials.measure(&edits, "mixtures", observer)?;
    let mut proposals = Vec::new();
    for (column, (attribute, weights, edit)) in found.into_iter().enumerate() {
        let Attribute::Region(color) = &trials.attributes[attribute] else {
            continue;
        };
        let of = |trials: &Measured, column: Option<usize>| {
            let chosen = |table: &Array2<f64>| match column {
                Some(column) => table.select(Dimension(1), &[column]),
                None => table.clone(),
            };
            EffectTrials {
                score_change: chosen(&trials.score_changes[attribute]),
                movement: chosen(&trials.movement),
            }
        };
        let mixed = of(&measured, Some(column));
        let effect = match effects(&scores[attribute], &mixed, &of(at_random, None), STRENGTH) {
            Err(GanspaceError::NoSpread { .. }) => continue,
            other => other?.remove(0),
        };
        if is_clear(&effect) {
            let mixture = Mixture {
                attribute: color.to_string(),
                weights: weights.to_vec(),
                strength: effect.strength,
                consistency: effect.consistency,
                exclusivity: effect.exclusivity,
            };
            proposals.push((effect.rank(), edit, mixture));
        }
    }
    proposals.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let mut kept: Vec<(Edit, Mixture)> = Vec::new();
    for (_, edit, mixture) in proposals {
        let is_new = kept
            .iter()
            .all(|(other, _)| edit.direction().dot(other.direction()).abs() < ALIKE);
        if is_new {
            kept.push((edit, mixture));
        }
    }
    Ok(kept.into_iter().map(|(_, mixture)| mixture).collect())
}
