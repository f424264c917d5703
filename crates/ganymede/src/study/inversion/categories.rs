//! The images of the study, by category.

use std::path::{Path, PathBuf};

use image_source::ImageSource;
use image_tensor::{DecodeLimits, ResizeProtocol, RgbImage, center_crop_and_resize};

use super::options::Options;
use crate::features::BATCH;
use crate::images::files_in;
use crate::search::Searcher;
use crate::{Error, Observer, Phase, Warning, Weights, strip};

/// The kinds that the study is of where nothing else is said.
const DEFAULT: [&str; 6] = [
    "funEmoji",
    "lorelei",
    "micah",
    "openPeeps",
    "personas",
    "thumbs",
];

/// Where a category's images are.
pub struct Source {
    pub category: String,
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Square images below each other in one file ([`strip`]).
    Strip,
    /// A file each.
    Folder,
}

/// An image as the models are given it, and its features.
pub struct Image {
    /// Category and name or number.
    pub name: String,
    /// Cut to its central square, in the models' size.
    pub pixels: RgbImage,
    pub feature: Vec<f32>,
}

/// The categories that were asked for.
pub fn sources(options: &Options, weights: &Weights) -> Result<Vec<Source>, Error> {
    let mut names = options.categories.clone();
    let (folder, ending) = match &options.images {
        Some(folder) => (folder.clone(), ""),
        None => (weights.studies(), ".png"),
    };
    if names.is_empty() {
        names = match &options.images {
            None => DEFAULT.map(str::to_owned).into(),
            Some(folder) => subfolders(folder)?,
        };
    }
    let mut sources: Vec<Source> = Vec::new();
    for category in names {
        let path = folder.join(format!("{category}{ending}"));
        if !path.exists() {
            return Err(Error::option(
                "categories",
                &category,
                format!(
                    "{} is not there; choose others, or another folder of images",
                    path.display()
                ),
            ));
        }
        if sources.iter().any(|source| source.category == category) {
            return Err(Error::option("categories", category, "it is named twice"));
        }
        sources.push(Source {
            category,
            path,
            kind: match options.images {
                None => Kind::Strip,
                Some(_) => Kind::Folder,
            },
        });
    }
    Ok(sources)
}

fn subfolders(folder: &Path) -> Result<Vec<String>, Error> {
    let names: Vec<String> = files_in(folder)
        .into_iter()
        .filter(|path| path.is_dir())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    if names.is_empty() {
        return Err(Error::option(
            "images",
            folder.display(),
            "no subfolder there; expected one with images for each category",
        ));
    }
    Ok(names)
}

impl Source {
    /// At most `count` images, with `side` pixels, and their features.
    pub fn load(
        &self,
        count: usize,
        side: u32,
        searcher: &Searcher,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Image>, Error> {
        let phase = format!("images of {}", self.category);
        observer.begin(&Phase::new(&phase, count));
        let mut images = Vec::new();
        // Originals are only kept until they have features: photographs are large.
        let mut waiting: Vec<(String, RgbImage)> = Vec::new();
        let mut take = |waiting: &mut Vec<(String, RgbImage)>| {
            let (names, originals): (Vec<String>, Vec<RgbImage>) = waiting.drain(..).unzip();
            let features = searcher.features(&originals);
            for ((name, original), feature) in
                names.into_iter().zip(&originals).zip(features.rows())
            {
                images.push(Image {
                    name: format!("{}/{name}", self.category),
                    pixels: center_crop_and_resize(original, side, ResizeProtocol::PillowLanczos),
                    feature: feature.to_vec(),
                });
            }
            observer.position(images.len() as u64);
        };
        let limits = DecodeLimits::default();
        match self.kind {
            Kind::Strip => {
                let images = strip::read(&self.path, &limits)?;
                for (number, image) in images.into_iter().take(count).enumerate() {
                    waiting.push((number.to_string(), image));
                    if waiting.len() == BATCH {
                        take(&mut waiting);
                    }
                }
            }
            Kind::Folder => {
                let files = ImageSource::open(&self.path)?.with_limit(count);
                for image in files.images(&limits) {
                    let image = image?;
                    waiting.push((image.stem, image.pixels));
                    if waiting.len() == BATCH {
                        take(&mut waiting);
                    }
                }
            }
        }
        if !waiting.is_empty() {
            take(&mut waiting);
        }
        observer.end();
        if images.len() < count {
            observer.warn(&Warning::FewImages {
                path: self.path.clone(),
                images: images.len(),
                wanted: count,
            });
        }
        Ok(images)
    }
}
