//! Sets of images to train on or to measure against.

use std::path::{Path, PathBuf};

use image_source::ImageSource;
use vision_aided_finetune::ImageSet;

use crate::images::bad_images;
use crate::{Error, Observer, Warning};

/// The images of a path; see [`training_sets`].
///
/// # Errors
///
/// As [`training_sets`].
pub fn training_set(
    path: &Path,
    side: usize,
    skip_bad: bool,
    observer: &mut dyn Observer,
) -> Result<ImageSet, Error> {
    Ok(ImageSet::concat(training_sets(
        &[path.to_owned()],
        side,
        skip_bad,
        observer,
    )?)?)
}

/// The images of paths, a set each, at least two together. The observer hears what is left out; with `skip_bad` that
/// may be images that cannot be read.
///
/// # Errors
///
/// A path cannot be opened or has no image, an image cannot be read, or there is one only.
pub fn training_sets(
    paths: &[PathBuf],
    side: usize,
    skip_bad: bool,
    observer: &mut dyn Observer,
) -> Result<Vec<ImageSet>, Error> {
    /// Of one image there is no distribution to learn or to compare with.
    const LEAST: usize = 2;
    const USE: &str = "a set to train on or to compare with";
    // Counted before hours of decoding.
    let all = ImageSource::open_all(paths)?;
    all.require(LEAST, USE)?;
    let mut sets = Vec::with_capacity(paths.len());
    for path in paths {
        let source = ImageSource::open(path)?;
        let (images, skipped) = ImageSet::read(&source, side, bad_images(skip_bad))?;
        for warning in Warning::of_images(&source, &skipped) {
            observer.warn(&warning);
        }
        sets.push(images);
    }
    all.require_of(sets.iter().map(ImageSet::len).sum(), LEAST, USE)?;
    Ok(sets)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use image_tensor::{Rgb, RgbImage, write_png};

    use super::*;

    #[test]
    fn a_set_of_one_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let image = RgbImage::from_pixel(9, 7, Rgb([1, 2, 3]));
            write_png(folder.path().join(name), &image).unwrap();
        };
        write("a.png");
        let read = |skip_bad| training_set(folder.path(), 8, skip_bad, &mut ());
        let message = read(false).unwrap_err().to_string();
        let set = folder.path().display().to_string();
        assert!(
            message.starts_with(&set) && message.contains("1 image there"),
            "{message}"
        );
        write("b.png");
        assert_eq!(read(false).unwrap().len(), 2);
        std::fs::write(folder.path().join("b.png"), "damaged").unwrap();
        assert!(read(false).is_err());
        let message = read(true).unwrap_err().to_string();
        assert!(message.contains("1 image there"), "{message}");
    }
}
