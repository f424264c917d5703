use crate::GanspaceError;
use crate::sample_checks::check_distances;

/// How evenly images change along a path.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Smoothness {
    /// Mean over the steps of `distance / dt^2`, with `dt` the step's share of the path: the perceptual path length of
    /// Karras et al. ("A style-based generator architecture", 2019, section 4.1) of this one path, with the frames'
    /// spacing for its epsilon. Like theirs it is in the unit of the distance, which for LPIPS grows with the square of
    /// a small step.
    pub perceptual_path_length: f64,
    /// Mean distance of successive frames.
    pub mean_step: f64,
    /// Largest distance of successive frames.
    pub largest_step: f64,
    /// Largest step over the mean step: 1 for an even change, as many as there are steps for one jump. 1 where nothing
    /// changes.
    pub largest_over_mean: f64,
}

/// Measures a path by the perceptual distances of successive frames, which are evenly spaced in time. Those of a loop
/// end with that from the last frame to the first.
///
/// ```
/// let even = ganspace::smoothness(&[0.1, 0.1, 0.1, 0.1])?;
/// assert!((even.perceptual_path_length - 0.1 * 16.0).abs() < 1e-12);
/// assert!((even.largest_over_mean - 1.0).abs() < 1e-12);
/// let jump = ganspace::smoothness(&[0.0, 0.4, 0.0, 0.0])?;
/// assert_eq!(jump.largest_over_mean, 4.0);
/// # Ok::<(), ganspace::GanspaceError>(())
/// ```
///
/// # Errors
/// When there is no distance, or one is negative or not finite.
pub fn smoothness(distances: &[f64]) -> Result<Smoothness, GanspaceError> {
    check(distances)?;
    let steps = distances.len() as f64;
    let mean_step = distances.iter().sum::<f64>() / steps;
    let largest_step = distances.iter().copied().fold(0.0, f64::max);
    Ok(Smoothness {
        perceptual_path_length: mean_step * steps * steps,
        mean_step,
        largest_step,
        largest_over_mean: if mean_step > 0.0 {
            largest_step / mean_step
        } else {
            1.0
        },
    })
}

/// Times for `frames` frames between which images change by equal amounts: [`Path::at`](crate::Path::at) of these
/// instead of evenly spaced ones makes an animation of even speed.
///
/// `lengths` are distances of successive frames that are evenly spaced in time, and must add up along the path; LPIPS
/// is of second order, so take its square root. Between those frames the speed counts as constant. A path that does not
/// change keeps even times. With `closed` the times leave out the end, which is the start again.
///
/// # Errors
/// When there is no distance, one is negative or not finite, or there are fewer than two frames.
pub fn even_times(lengths: &[f64], frames: usize, closed: bool) -> Result<Vec<f64>, GanspaceError> {
    check(lengths)?;
    if frames < 2 {
        return Err(GanspaceError::TooFew {
            what: "frames",
            found: frames,
            required: 2,
        });
    }
    let total: f64 = lengths.iter().sum();
    let steps = (frames - usize::from(!closed)) as f64;
    let mut times = Vec::with_capacity(frames);
    let (mut passed, mut step) = (0.0, 0);
    for frame in 0..frames {
        let share = frame as f64 / steps;
        if total == 0.0 {
            times.push(share);
            continue;
        }
        let wanted = share * total;
        while step + 1 < lengths.len() && passed + lengths[step] < wanted {
            passed += lengths[step];
            step += 1;
        }
        let within = if lengths[step] > 0.0 {
            ((wanted - passed) / lengths[step]).clamp(0.0, 1.0)
        } else {
            0.0
        };
        times.push((step as f64 + within) / lengths.len() as f64);
    }
    // The sum's rounding must not keep the last frame from the end.
    if let (false, Some(last)) = (closed, times.last_mut()) {
        *last = 1.0;
    }
    Ok(times)
}

fn check(distances: &[f64]) -> Result<(), GanspaceError> {
    check_distances("a distance of successive frames", distances.iter().copied())?;
    if distances.is_empty() {
        return Err(GanspaceError::TooFew {
            what: "distances of successive frames",
            found: 0,
            required: 1,
        });
    }
    Ok(())
}
