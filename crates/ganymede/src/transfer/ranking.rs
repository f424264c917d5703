//! The models of a zoo by how likely each is to make a set of images.

use std::path::{Component, Path, PathBuf};

use burn::tensor::Device;
use checkpoint_file::shown;
use retrieval_gaussian::Query;
use serde::{Deserialize, Serialize};

use crate::images::{bad_images, for_each_image};
use crate::runs::export::GENERATOR;
use crate::search::{Method, Searcher};
use crate::{Error, Observer, Warning, Weights};

/// A model's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// 1 for the best.
    pub rank: usize,
    /// Its name in the zoo.
    pub model: String,
    /// Mean log-density of the images' features.
    pub score: f64,
}

impl Ranked {
    /// Refuses a ranking that was read from `file` and names what can be no folder of a zoo: a run's folder is called
    /// after its model.
    pub(crate) fn check_names(ranking: &[Self], file: &Path) -> Result<(), Error> {
        let mut models = ranking.iter();
        models.try_for_each(|ranked| Self::check_folder(&ranked.model, "the model", file))
    }

    /// Refuses a name of something that was read from `file` and can be no folder.
    pub(crate) fn check_folder(name: &str, what: &str, file: &Path) -> Result<(), Error> {
        match is_folder(name) {
            true => Ok(()),
            false => Err(Error::File {
                path: file.to_owned(),
                problem: format!(
                    "it names {what} {}, which can be no folder of its own",
                    shown(name)
                ),
            }),
        }
    }

    /// The model's file.
    pub fn generator(&self, models: Option<&Path>, weights: &Weights) -> PathBuf {
        let zoo = models.map_or_else(|| weights.zoo(), Path::to_owned);
        zoo.join(&self.model).join(GENERATOR)
    }
}

/// Whether a name leads to a folder within another and to no other place, on any system.
fn is_folder(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let first = parts.next();
    matches!(first, Some(Component::Normal(part)) if part == name)
        && parts.next().is_none()
        && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | ':'))
}

/// All models of a zoo (the weights folder's without `models`) by the mean Gaussian density of the features of the
/// images of a folder or archive, best first.
///
/// # Errors
///
/// The zoo has no index, or an image cannot be read.
pub fn ranking(
    models: Option<&Path>,
    images: &Path,
    skip_bad: bool,
    weights: &Weights,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Vec<Ranked>, Error> {
    let searcher = Searcher::open(models, None, weights, device)?;
    if !searcher.outdated.is_harmless() {
        observer.warn(&Warning::IndexOutdated(searcher.outdated.clone()));
    }
    let mut pictures = Vec::new();
    for_each_image(&[images], bad_images(skip_bad), observer, |image| {
        pictures.push(image.pixels);
        Ok(())
    })?;
    let features = searcher.features(&pictures);
    let query = Query::feature_set(features.view());
    let (ranking, _) = searcher.rank(&query, Method::GaussianDensity)?;
    let ranked: Vec<Ranked> = (1..)
        .zip(ranking.models)
        .map(|(rank, model)| Ranked {
            rank,
            model: model.model,
            score: model.score,
        })
        .collect();
    Ranked::check_names(&ranked, &searcher.zoo.index_path())?;
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_folder() {
        let ranked = |model: &str| Ranked {
            rank: 1,
            model: model.to_owned(),
            score: 0.0,
        };
        let file = Path::new("ranking.json");
        for good in ["micah", "Mein Modell", "m\u{f6}we.v2"] {
            Ranked::check_names(&[ranked(good)], file).expect(good);
        }
        for bad in [
            "",
            ".",
            "..",
            "../evil",
            "/evil",
            "a/b",
            "a\\b",
            "c:evil",
            "a/",
            "a\u{1b}[2J",
            "a\0",
        ] {
            let error = Ranked::check_names(&[ranked("micah"), ranked(bad)], file);
            let message = error.expect_err(bad).to_string();
            assert!(message.starts_with("ranking.json: it names"), "{message}");
            assert!(!message.contains('\u{1b}'), "{message}");
        }
    }
}
