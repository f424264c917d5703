use ndarray::{Array2, ArrayView1};

use crate::GanspaceError;
use crate::sample_checks::{check_distances, check_finite, check_same_shape, mean_and_stdev};

/// What edits along some directions did to samples: each is `[samples, directions]`, of the edit with strength `+s`
/// against that with `-s`.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectTrials {
    /// Difference of the attribute's score, plus less minus.
    pub score_change: Array2<f64>,
    /// How far the whole image went, in a distance that is of first order in a small step. LPIPS is of second order:
    /// take its square root.
    pub movement: Array2<f64>,
}

/// How an edit moves an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The direction, counted from 0.
    pub component: usize,
    /// How strongly: mean change of the score for one standard deviation of the component, in standard deviations of
    /// the score over unedited samples. Signed.
    pub strength: f64,
    /// How reliably: the mean change over the root of its mean square, in [0, 1]; 1 where every sample changes alike.
    pub consistency: f64,
    /// How far the image goes for one standard deviation: the mean movement.
    pub movement: f64,
    /// How exclusively: what the attribute moves for what the image moves, over the same for random directions of the
    /// same length. 1 is no better than chance.
    pub exclusivity: f64,
}

impl Effect {
    /// What ranks directions: `|strength| exclusivity`, which is large only where both are.
    pub fn rank(&self) -> f64 {
        self.strength.abs() * self.exclusivity
    }
}

/// Measures how each direction moves an attribute, and ranks them: largest [`Effect::rank`] first.
///
/// `scores` are those of the unedited samples, `strength` the `s > 0` of the trials in standard deviations. `random`
/// holds trials of the same strength with steps of the same length in random directions
/// ([`Edit::in_random_direction`](crate::Edit::in_random_direction)), any number of them.
///
/// # Errors
/// When sizes differ, there are no trials or fewer than two scores, a number is not finite, a movement is negative, all
/// scores are the same, or random directions move nothing.
pub fn effects(
    scores: &[f64],
    trials: &EffectTrials,
    random: &EffectTrials,
    strength: f64,
) -> Result<Vec<Effect>, GanspaceError> {
    let (_, stdev) = mean_and_stdev("scores", scores)?;
    check_finite("a score", scores.iter().copied())?;
    if !(strength.is_finite() && strength > 0.0) {
        return Err(GanspaceError::InvalidNumber {
            what: "the strength of the trials",
            value: strength,
            position: 0,
            expected: "a finite number above 0",
        });
    }
    for trials in [trials, random] {
        let (changes, movements) = (trials.score_change.view(), trials.movement.view());
        check_same_shape("the table of movements", movements, changes)?;
        check_finite("a change of score", changes.iter().copied())?;
        check_distances("a movement", movements.iter().copied())?;
        if changes.is_empty() {
            return Err(GanspaceError::TooFew {
                what: "trials of edits",
                found: 0,
                required: 1,
            });
        }
    }
    // The two edits of a trial lie 2 s standard deviations apart.
    let apart = 2.0 * strength;
    let measured = |trials: &EffectTrials| -> Vec<Effect> {
        let columns = trials.score_change.columns().into_iter();
        columns
            .zip(trials.movement.columns())
            .enumerate()
            .map(|(component, (changes, movements))| Effect {
                component,
                strength: mean(changes) / (apart * stdev),
                consistency: consistency(changes),
                movement: mean(movements) / apart,
                exclusivity: 0.0,
            })
            .collect()
    };
    let by_chance = per_movement(&measured(random));
    let Some(by_chance) = by_chance.filter(|ratio| *ratio > 0.0) else {
        return Err(GanspaceError::NoSpread {
            what: "images or scores after steps in random directions",
            value: 0.0,
        });
    };
    let mut effects = measured(trials);
    for effect in &mut effects {
        effect.exclusivity = per_movement(&[*effect]).unwrap_or(0.0) / by_chance;
    }
    effects.sort_by(|a, b| b.rank().total_cmp(&a.rank()));
    Ok(effects)
}

/// What the attribute moves for what the image moves; none where it does not move.
fn per_movement(effects: &[Effect]) -> Option<f64> {
    let strength: f64 = effects.iter().map(|effect| effect.strength.abs()).sum();
    let movement: f64 = effects.iter().map(|effect| effect.movement).sum();
    (movement > 0.0).then(|| strength / movement)
}

fn mean(values: ArrayView1<'_, f64>) -> f64 {
    values.sum() / values.len() as f64
}

fn consistency(changes: ArrayView1<'_, f64>) -> f64 {
    let root_mean_square = (changes.dot(&changes) / changes.len() as f64).sqrt();
    if root_mean_square > 0.0 {
        mean(changes).abs() / root_mean_square
    } else {
        0.0
    }
}
