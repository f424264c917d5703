//! Mean and covariance of many features, kept in a file while they are made.

use std::ops::Range;
use std::path::Path;

use feature_stats::Moments;
use ndarray::Array2;

use crate::features::BATCH;
use crate::{Error, Observer, Phase};

/// Batches between two saves, so that an interruption costs seconds and the file system little.
const BATCHES_PER_SAVE: u64 = 64;

/// Moments of the features of the first `total` images, going on from what an earlier call left in the file, where one
/// is named.
///
/// `features` gives `[images, dimension]` of a range of images. `what` is the name of the phase.
///
/// # Errors
///
/// Those of `features`; the file cannot be read or written, or is not of features of this dimension;
/// [`Error::Cancelled`] when the observer ends the job, after what there is has been kept.
pub fn accumulate(
    file: Option<&Path>,
    dimension: usize,
    total: u64,
    what: &str,
    observer: &mut dyn Observer,
    mut features: impl FnMut(Range<u64>) -> Result<Array2<f32>, Error>,
) -> Result<Moments, Error> {
    let mut moments = match file.filter(|file| file.is_file()) {
        Some(file) => Moments::load(file)?,
        None => Moments::new(dimension),
    };
    let keep = |moments: &Moments| match file {
        Some(file) => moments.save(file),
        None => Ok(()),
    };
    if moments.count() == total {
        return Ok(moments);
    }
    // Images cannot be taken out again.
    if moments.count() > total {
        moments = Moments::new(dimension);
    }
    observer.begin(&Phase::new(what, total as usize));
    observer.resume(moments.count());
    let mut batches = 0;
    while moments.count() < total {
        if observer.cancelled() {
            keep(&moments)?;
            return Err(Error::Cancelled);
        }
        let first = moments.count();
        let images = first..(first + BATCH as u64).min(total);
        moments.add_rows(features(images)?.view())?;
        observer.position(moments.count());
        batches += 1;
        if batches % BATCHES_PER_SAVE == 0 {
            keep(&moments)?;
        }
    }
    keep(&moments)?;
    observer.end();
    Ok(moments)
}
