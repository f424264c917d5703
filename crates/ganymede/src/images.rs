//! Image files as a generator takes them.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image_source::{BadImages, ImageSource, SourceImage};
use image_tensor::{
    DecodeLimits, ResizeProtocol, RgbImage, center_crop_and_resize, decode_file, from_signed_unit,
    to_gray_signed_unit, to_signed_unit,
};
use stylegan2::Generator;

use crate::{Error, Observer, Warning, Weights};

/// An image in a generator's size, with the file it came from.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file.
    pub path: PathBuf,
    /// Base name without extension.
    pub stem: String,
    /// Square, in the generator's size.
    pub pixels: RgbImage,
    /// Width and height in the file, upright.
    pub original_size: (u32, u32),
}

impl Target {
    /// Decodes a file, cuts out the center and resizes it to `side` x `side` with Pillow's Lanczos filter, as the
    /// official data preparation does.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no image.
    pub fn load(path: &Path, side: u32) -> Result<Self, Error> {
        let decoded = decode_file(path, &DecodeLimits::default())?;
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        Ok(Self {
            path: path.to_owned(),
            stem: stem.to_string_lossy().into_owned(),
            original_size: decoded.dimensions(),
            pixels: center_crop_and_resize(&decoded, side, ResizeProtocol::PillowLanczos),
        })
    }

    /// An image that has been read, cut and resized as [`load`](Self::load) does.
    pub fn of(image: SourceImage, side: u32) -> Self {
        Self {
            path: image.path.unwrap_or_else(|| PathBuf::from(image.name)),
            stem: image.stem,
            original_size: image.pixels.dimensions(),
            pixels: center_crop_and_resize(&image.pixels, side, ResizeProtocol::PillowLanczos),
        }
    }

    /// The images of files, folders and archives; see [`for_each_image`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load_all(
        paths: &[PathBuf],
        side: u32,
        bad_images: BadImages,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Self>, Error> {
        let mut targets = Vec::new();
        for_each_image(paths, bad_images, observer, |image| {
            targets.push(Self::of(image, side));
            Ok(())
        })?;
        Ok(targets)
    }
}

/// What happens with images that cannot be read, as options called `skip_bad` say it.
pub fn bad_images(skip_bad: bool) -> BadImages {
    match skip_bad {
        true => BadImages::Skip,
        false => BadImages::Refuse,
    }
}

/// Hands the images of files, folders and archives to `visit`, one at a time, as an [`ImageSource`] finds them. The
/// observer hears what is left out.
///
/// # Errors
///
/// Those of `visit`; a path has no image, or one cannot be read and [`BadImages::Refuse`] holds.
pub fn for_each_image<P: AsRef<Path>>(
    paths: &[P],
    bad_images: BadImages,
    observer: &mut dyn Observer,
    visit: impl FnMut(SourceImage) -> Result<(), Error>,
) -> Result<(), Error> {
    let source = ImageSource::open_all(paths)?;
    let skipped = source.for_each(&DecodeLimits::default(), bad_images, visit)?;
    for warning in Warning::of_images(&source, &skipped) {
        observer.warn(&warning);
    }
    Ok(())
}

/// The only image of a file, folder or archive.
///
/// # Errors
///
/// As [`for_each_image`], and when there are several.
pub fn only_image(
    path: &Path,
    bad_images: BadImages,
    observer: &mut dyn Observer,
) -> Result<SourceImage, Error> {
    let mut only = None;
    for_each_image(&[path], bad_images, observer, |image| {
        match only.replace(image) {
            None => Ok(()),
            Some(_) => Err(Error::File {
                path: path.to_owned(),
                problem: "several images are there, and one is wanted; name that one".to_owned(),
            }),
        }
    })?;
    Ok(only.expect("a set without an image is an error"))
}

/// Pixels in [-1, 1] with the generator's number of channels, `[images, channels, side, side]`.
pub fn to_targets(images: &[RgbImage], generator: &Generator, device: &Device) -> Tensor<4> {
    if generator.synthesis.img_channels() == 1 {
        to_gray_signed_unit(images, device)
    } else {
        to_signed_unit(images, device)
    }
}

/// The only image of `[1, channels, height, width]` in [-1, 1].
pub fn image_of(tensor: &Tensor<4>) -> RgbImage {
    from_signed_unit(tensor.clone()).remove(0)
}

/// At most `count` of `length` images, spread evenly.
pub fn spread(length: usize, count: usize) -> Vec<usize> {
    let count = count.min(length);
    (0..count).map(|index| index * length / count).collect()
}

/// What is in a folder, sorted; nothing for no folder.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    whole_file::list(folder).unwrap_or_default()
}

/// The first query image of the model's kind, or of any kind for another model.
pub(crate) fn query_image_of(model: &str, weights: &Weights) -> Result<PathBuf, Error> {
    let folder = weights.queries();
    let mut kinds: Vec<PathBuf> = files_in(&folder);
    kinds.sort_by_key(|kind| (kind.file_name() != Some(model.as_ref()), kind.clone()));
    let mut files = kinds.iter().flat_map(|kind| files_in(kind));
    files
        .find(|file| is_png(file))
        .ok_or_else(|| no_query_image(folder))
}

/// The first image of every kind of query images.
pub(crate) fn first_query_images(weights: &Weights) -> Result<Vec<PathBuf>, Error> {
    let folder = weights.queries();
    let paths: Vec<PathBuf> = files_in(&folder)
        .iter()
        .filter_map(|kind| files_in(kind).into_iter().find(|file| is_png(file)))
        .collect();
    if paths.is_empty() {
        return Err(no_query_image(folder));
    }
    Ok(paths)
}

fn no_query_image(folder: PathBuf) -> Error {
    Error::File {
        path: folder,
        problem: "no query image there; name an image".to_owned(),
    }
}

fn is_png(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "png")
}
