//! The counters of a saved run, checked against each other: each alone may have any value.

use crate::state::Progress;

/// Why these counters cannot be those of one run, if so. `adam_steps` are those of each optimizer, with its name.
///
/// An iteration shows one batch, whose size is fixed, takes at most two steps of an optimizer (its loss and a
/// regularizer) and adds at most one to a count of measurements that are not finite. Optimizers start again when
/// networks grow, so that they may have taken fewer.
pub(crate) fn contradiction<'a>(
    progress: &Progress,
    batch_size: usize,
    adam_steps: impl IntoIterator<Item = (&'a str, u64)>,
) -> Option<String> {
    const STEPS_AN_ITERATION: u64 = 2;
    let Progress {
        iterations,
        images,
        non_finite,
    } = *progress;
    if iterations.checked_mul(batch_size as u64) != Some(images) {
        return Some(format!(
            "{images} images after {iterations} iterations of {batch_size}"
        ));
    }
    for (optimizer, steps) in adam_steps {
        if steps > STEPS_AN_ITERATION.saturating_mul(iterations) {
            return Some(format!(
                "{steps} steps of the {optimizer}'s optimiser after {iterations} iterations"
            ));
        }
    }
    let measured = [
        ("losses", non_finite.losses),
        ("R1 penalties", non_finite.r1_penalty),
        ("path lengths", non_finite.path_length),
    ];
    let impossible = measured.into_iter().find(|(_, count)| *count > iterations);
    impossible.map(|(what, count)| {
        format!("{count} {what} that were not finite after {iterations} iterations")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::NonFinite;

    #[test]
    fn only_counters_of_one_run_pass() {
        let progress = Progress {
            iterations: 30,
            images: 480,
            non_finite: NonFinite::default(),
        };
        let fault = |progress: &Progress, steps| {
            contradiction(progress, 16, [("generator", steps)]).unwrap_or_default()
        };
        assert_eq!(fault(&progress, 60), "");
        assert_eq!(fault(&Progress::default(), 0), "");
        assert!(fault(&progress, 61).contains("61 steps"));
        for (iterations, images) in [
            (30, u64::MAX),
            (30, 481),
            (0, 480),
            (u64::MAX, 480),
            (u64::MAX, u64::MAX - 15),
        ] {
            let changed = Progress {
                iterations,
                images,
                ..progress
            };
            assert!(fault(&changed, 0).contains("images after"), "{changed:?}");
        }
        let mut bad = progress;
        bad.non_finite.r1_penalty = 31;
        assert!(fault(&bad, 0).contains("31 R1 penalties"));
    }
}
