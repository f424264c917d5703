//! The inversions of a part of a study in one file, from which others take them into their caches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use checkpoint_file::{StoredDType, StoredTensor};
use image_tensor::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::cache::{Cache, Kept, Measures};
use super::plan::{Plan, Work};
use crate::files::ShownPath;
use crate::part_file::{self, PartFile, malformed};
use crate::{Error, Observer};

/// What a part is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartRecord {
    /// How all of its inversions are made, for people: it is a part of their keys.
    recipe: String,
    /// By their keys.
    inversions: BTreeMap<String, Inverted>,
}

/// An inversion but for its tensors. How long it took is left out, so that an inversion that is made twice is the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inverted {
    /// Of the zoo.
    model: String,
    /// SHA-256 of the generator's file.
    generator: String,
    /// Category and name.
    image: String,
    measures: Measures,
}

impl part_file::PartRecord for PartRecord {
    const KIND: &'static str = "part of a study of inversions";
    const WRITTEN_BY: &'static str = "study_inversion --shard";
}

/// Writes the inversions of a part, which the cache has, into a folder, as a file that is named after its content.
pub fn write(
    folder: &Path,
    plan: &Plan,
    cache: &Cache,
    part: &[&Work],
    observer: &mut dyn Observer,
) -> Result<ShownPath, Error> {
    let mut inversions = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for work in part {
        let image = &plan.image(work).name;
        let kept = cache.require(&work.key, image, &work.model, observer)?;
        let (w_plus, reconstruction) = kept.tensors();
        tensors.insert(w_plus_of(&work.key), w_plus);
        tensors.insert(reconstruction_of(&work.key), reconstruction);
        let inverted = Inverted {
            model: work.model.clone(),
            generator: plan.keys.generator(&work.model).to_owned(),
            image: image.clone(),
            measures: kept.measures,
        };
        inversions.insert(work.key.clone(), inverted);
    }
    let record = PartRecord {
        recipe: plan.keys.recipe().to_owned(),
        inversions,
    };
    Ok(ShownPath(part_file::save(folder, &record, &tensors)?))
}

/// Takes those of `wanted` that a cache lacks from a part; says how many.
pub fn take(
    path: &Path,
    cache: &Cache,
    wanted: &BTreeSet<&str>,
    observer: &mut dyn Observer,
) -> Result<usize, Error> {
    let part = PartFile::<PartRecord>::open(path)?;
    let inversions = &part.record.inversions;
    let is_wanted = |key: &&String| wanted.contains(key.as_str());
    if !inversions.is_empty() && !inversions.keys().any(|key| is_wanted(&key)) {
        return Err(malformed(
            path,
            format!(
                "none of its {} inversions is one of this study; all parts need the options, models and kind of device of the study",
                inversions.len()
            ),
        ));
    }
    let mut taken = 0;
    for (key, inverted) in inversions.iter().filter(|(key, _)| is_wanted(key)) {
        if cache.find(key, observer).is_some() {
            continue;
        }
        let kept = kept(&part, key, inverted.measures)?;
        let about = [("image", &*inverted.image), ("model", &*inverted.model)];
        cache.keep(key, &kept, &about)?;
        taken += 1;
    }
    Ok(taken)
}

fn kept(part: &PartFile<PartRecord>, key: &str, measures: Measures) -> Result<Kept, Error> {
    let missing = || {
        let problem = format!(
            "the tensors of {} are missing or no inversion",
            checkpoint_file::shown(key)
        );
        malformed(part.path(), problem)
    };
    let w_plus = part.tensor(&w_plus_of(key)).ok_or_else(missing)?;
    let reconstruction = part.tensor(&reconstruction_of(key)).ok_or_else(missing)?;
    Kept::of_tensors(w_plus, reconstruction, measures, None).ok_or_else(missing)
}

impl Kept {
    /// `w_plus` and the reconstruction as files have them.
    pub fn tensors(&self) -> (StoredTensor, StoredTensor) {
        let (width, height) = self.reconstruction.dimensions();
        let (layers, features) = self.w_plus.dim();
        let w_plus: Vec<f32> = self.w_plus.iter().copied().collect();
        let pixels = self.reconstruction.as_raw().clone();
        let shape = vec![height as usize, width as usize, 3];
        (
            StoredTensor::from_f32(vec![layers, features], &w_plus),
            StoredTensor::new(StoredDType::U8, shape, pixels),
        )
    }

    /// The inversion that files have as such tensors; none where they are of other types or shapes.
    pub fn of_tensors(
        w_plus: &StoredTensor,
        reconstruction: &StoredTensor,
        measures: Measures,
        seconds: Option<f64>,
    ) -> Option<Self> {
        let (&[layers, features], &[height, width, 3]) = (w_plus.shape(), reconstruction.shape())
        else {
            return None;
        };
        if !w_plus.dtype().is_float() || reconstruction.dtype() != StoredDType::U8 {
            return None;
        }
        let pixels = reconstruction.bytes().to_vec();
        Some(Self {
            measures,
            w_plus: Array2::from_shape_vec((layers, features), w_plus.to_f32()).ok()?,
            reconstruction: RgbImage::from_raw(
                u32::try_from(width).ok()?,
                u32::try_from(height).ok()?,
                pixels,
            )?,
            seconds,
        })
    }
}

fn w_plus_of(key: &str) -> String {
    format!("{key}/w_plus")
}

fn reconstruction_of(key: &str) -> String {
    format!("{key}/reconstruction")
}
