//! Sets of images as options name them.

use std::path::{Path, PathBuf};

use clap::Args;
use ganymede::images::for_each_image;
use ganymede::{Observer, Warning};
use image_source::{BadImages, ImageSource};
use image_tensor::RgbImage;
use vision_aided_finetune::ImageSet;

use crate::Failure;

/// What happens with images that cannot be read.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct BadImageArgs {
    /// Leave out images that cannot be read, and say so
    #[arg(long)]
    pub skip_bad: bool,
}

impl BadImageArgs {
    /// As the libraries take it.
    pub fn bad_images(self) -> BadImages {
        match self.skip_bad {
            true => BadImages::Skip,
            false => BadImages::Refuse,
        }
    }

    /// The images of a file, folder or archive in their own size; what is left out is said on stderr.
    pub fn read(self, path: &Path) -> Result<Vec<RgbImage>, Failure> {
        let mut images = Vec::new();
        for_each_image(&[path], self.bad_images(), &mut OnStderr, |image| {
            images.push(image.pixels);
            Ok(())
        })?;
        Ok(images)
    }

    /// The images of a path to train on or to measure against; see [`training_sets`](Self::training_sets).
    pub fn training_set(self, path: &Path, side: usize) -> Result<ImageSet, Failure> {
        Ok(ImageSet::concat(
            self.training_sets(&[path.to_owned()], side)?,
        )?)
    }

    /// The images of paths, a set each, at least two together; what is left out is said on stderr.
    pub fn training_sets(self, paths: &[PathBuf], side: usize) -> Result<Vec<ImageSet>, Failure> {
        /// Of one image there is no distribution to learn or to compare with.
        const LEAST: usize = 2;
        const USE: &str = "a set to train on or to compare with";
        // Counted before hours of decoding.
        let all = ImageSource::open_all(paths)?;
        all.require(LEAST, USE)?;
        let mut sets = Vec::with_capacity(paths.len());
        for path in paths {
            let source = ImageSource::open(path)?;
            let (images, skipped) = ImageSet::read(&source, side, self.bad_images())?;
            say(&Warning::of_images(&source, &skipped));
            sets.push(images);
        }
        all.require_of(sets.iter().map(ImageSet::len).sum(), LEAST, USE)?;
        Ok(sets)
    }
}

/// Says on stderr what was left out of sets.
pub fn say(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("{warning}");
    }
}

/// An observer of nothing but warnings.
struct OnStderr;

impl Observer for OnStderr {
    fn warn(&mut self, warning: &Warning) {
        say(std::slice::from_ref(warning));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use image_tensor::{Rgb, write_png};

    use super::*;

    #[test]
    fn a_set_of_one_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let image = RgbImage::from_pixel(9, 7, Rgb([1, 2, 3]));
            write_png(folder.path().join(name), &image).unwrap();
        };
        write("a.png");
        let args = BadImageArgs::default();
        let message = args.training_set(folder.path(), 8).unwrap_err().to_string();
        let set = folder.path().display().to_string();
        assert!(
            message.starts_with(&set) && message.contains("1 image there"),
            "{message}"
        );
        write("b.png");
        assert_eq!(args.training_set(folder.path(), 8).unwrap().len(), 2);
        std::fs::write(folder.path().join("b.png"), "damaged").unwrap();
        let skip = BadImageArgs { skip_bad: true };
        assert!(args.training_set(folder.path(), 8).is_err());
        let message = skip.training_set(folder.path(), 8).unwrap_err().to_string();
        assert!(message.contains("1 image there"), "{message}");
    }
}
