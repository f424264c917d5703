//! Mean and covariance of many features, kept in a file while they are made.

use std::ops::Range;
use std::path::Path;

use feature_stats::Moments;
use ndarray::Array2;

use crate::{Failure, progress};
use ganymede::features::BATCH;

/// Batches between two saves, so that an interruption costs seconds and the file system little.
const BATCHES_PER_SAVE: u64 = 64;

/// Moments of the features of the first `total` images, going on from what an earlier call left in the file; `None` when interrupted.
///
/// `features` gives `[images, dimension]` of a range of images. `what` stands before the progress bar.
pub fn accumulate(
    file: &Path,
    dimension: usize,
    total: u64,
    what: &str,
    interrupted: &dyn Fn() -> bool,
    mut features: impl FnMut(Range<u64>) -> Result<Array2<f32>, Failure>,
) -> Result<Option<Moments>, Failure> {
    let mut moments = match file.is_file() {
        true => Moments::load(file)?,
        false => Moments::new(dimension),
    };
    if moments.count() == total {
        return Ok(Some(moments));
    }
    // Images cannot be taken out again.
    if moments.count() > total {
        moments = Moments::new(dimension);
    }
    let bar = progress::bar(total as usize, what);
    bar.set_position(moments.count());
    bar.reset_eta();
    let mut batches = 0;
    while moments.count() < total {
        if interrupted() {
            moments.save(file)?;
            bar.finish_and_clear();
            return Ok(None);
        }
        let first = moments.count();
        let images = first..(first + BATCH as u64).min(total);
        moments.add_rows(features(images)?.view())?;
        bar.set_position(moments.count());
        batches += 1;
        if batches % BATCHES_PER_SAVE == 0 {
            moments.save(file)?;
        }
    }
    moments.save(file)?;
    bar.finish_and_clear();
    Ok(Some(moments))
}
