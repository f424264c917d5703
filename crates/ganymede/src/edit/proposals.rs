//! What components do, looked for in places and colors of the picture: no classifier and no example is needed.

use ganspace::{Effect, EffectTrials, GanspaceError, effects};

use super::attribute::Attribute;
use super::outcome::Proposal;
use super::region::{Channel, RegionColor};
use super::trials::{Measured, STRENGTH};
use crate::Error;

/// Where is looked: the whole, strips of a fifth, and boxes placed by hand for a centered face.
const REGIONS: [&str; 15] = [
    "0,0,1,1",
    "0,0,1,0.2",
    "0,0.8,1,1",
    "0.3,0.05,0.7,0.25",
    "0.35,0.15,0.65,0.3",
    "0.25,0.3,0.75,0.5",
    "0.25,0.4,0.5,0.55",
    "0.5,0.4,0.75,0.55",
    "0.35,0.45,0.65,0.65",
    "0.35,0.6,0.65,0.8",
    "0.25,0.25,0.75,0.75",
    "0.05,0.3,0.25,0.7",
    "0.75,0.3,0.95,0.7",
    "0.25,0.75,0.75,1",
    "0,0,0.15,0.15",
];

/// What is looked at there; red, green and blue are told by the others together.
const CHANNELS: [Channel; 5] = [
    Channel::Luminance,
    Channel::Chroma,
    Channel::Warmth,
    Channel::Contrast,
    Channel::Asymmetry,
];

/// A component that moves an attribute less reliably is not proposed for it.
const LEAST_CONSISTENCY: f64 = 0.8;
/// An attribute that moves less than so many times as far as by chance, for what the image moves, is not proposed.
const LEAST_EXCLUSIVITY: f64 = 1.5;

/// All attributes that are looked for.
pub fn attributes() -> Vec<Attribute> {
    let regions = REGIONS.iter();
    let attribute = |region: &&str, channel| {
        Attribute::Region(RegionColor {
            channel,
            region: region.parse().expect("a region of the list"),
        })
    };
    regions
        .flat_map(|region| CHANNELS.map(|channel| attribute(region, channel)))
        .collect()
}

/// Whether an attribute is moved reliably and rather than the rest of the picture.
pub fn is_clear(effect: &Effect) -> bool {
    effect.consistency >= LEAST_CONSISTENCY && effect.exclusivity >= LEAST_EXCLUSIVITY
}

/// For each component the attribute that it moves most by [`Effect::rank`](ganspace::Effect::rank), where it moves one
/// reliably and rather than the rest of the picture; the clearest first. `scores` has those of the unedited images, a
/// list for each attribute.
pub fn propose(
    attributes: &[Attribute],
    scores: &[Vec<f64>],
    measured: &Measured,
    at_random: &Measured,
) -> Result<Vec<Proposal>, Error> {
    let mut best: Vec<Option<(f64, Proposal)>> = vec![None; measured.movement.ncols()];
    for (index, (attribute, scores)) in attributes.iter().zip(scores).enumerate() {
        let Attribute::Region(color) = attribute else {
            continue;
        };
        let of = |trials: &Measured| EffectTrials {
            score_change: trials.score_changes[index].clone(),
            movement: trials.movement.clone(),
        };
        // What is the same in all pictures is moved by nothing.
        let found = match effects(scores, &of(measured), &of(at_random), STRENGTH) {
            Err(GanspaceError::NoSpread { .. }) => continue,
            other => other?,
        };
        for effect in found {
            let place = &mut best[effect.component];
            let rank = effect.rank();
            if is_clear(&effect) && place.as_ref().is_none_or(|(known, _)| rank > *known) {
                let proposal = Proposal {
                    component: effect.component,
                    attribute: color.to_string(),
                    strength: effect.strength,
                    consistency: effect.consistency,
                    exclusivity: effect.exclusivity,
                };
                *place = Some((rank, proposal));
            }
        }
    }
    let mut best: Vec<(f64, Proposal)> = best.into_iter().flatten().collect();
    best.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(best.into_iter().map(|(_, proposal)| proposal).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn attribute(text: &str) -> Attribute {
        Attribute::Region(text.parse().unwrap())
    }

    #[test]
    fn a_component_is_proposed_for_what_it_moves_rather_than_all_else() {
        let attributes = [
            attribute("luminance 0,0,1,1"),
            attribute("chroma 0,0,1,1"),
            attribute("warmth 0,0,1,1"),
        ];
        // The third is the same in all pictures.
        let scores = [vec![0.0, 1.0], vec![0.0, 1.0], vec![0.5, 0.5]];
        let same = |values: [f64; 3]| Array2::from_shape_fn((2, 3), |(_, column)| values[column]);
        let measured = Measured {
            movement: Array2::ones((2, 3)),
            score_changes: vec![
                // Strongly, weakly, and to either side.
                array![[4.0, 1.0, 6.0], [4.0, 1.0, -6.0]],
                same([1.0, -8.0, 1.0]),
                same([9.0, 9.0, 9.0]),
            ],
        };
        let at_random = Measured {
            movement: Array2::ones((2, 3)),
            score_changes: vec![
                same([1.0, 1.0, 1.0]),
                same([1.0, -1.0, 1.0]),
                same([1.0; 3]),
            ],
        };
        let found = propose(&attributes, &scores, &measured, &at_random).unwrap();
        let found: Vec<(usize, &str)> = found
            .iter()
            .map(|proposal| (proposal.component, proposal.attribute.as_str()))
            .collect();
        assert_eq!(found, [(1, "chroma 0,0,1,1"), (0, "luminance 0,0,1,1")]);
    }

    #[test]
    fn all_attributes_can_be_written_and_kept_with_an_edit() {
        for attribute in attributes() {
            let Attribute::Region(color) = attribute else {
                panic!("attributes of regions only");
            };
            assert_eq!(color.to_string().parse(), Ok(color));
        }
    }
}
