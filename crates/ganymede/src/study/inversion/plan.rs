//! What is inverted into what.

use std::collections::BTreeMap;

use image_tensor::RgbImage;
use model_zoo::ZooModel;
use retrieval_gaussian::{Query, RankedModel};
use stylegan2::RandomState;

use super::categories::Image;
use super::key::Keys;
use crate::Error;
use crate::search::{Method, Searcher};
use crate::shard::Shard;

/// A study: ranked images, and the inversions that its report needs.
pub struct Plan {
    /// By name.
    pub models: Vec<ZooModel>,
    /// Ascending.
    pub ranks: Vec<usize>,
    pub categories: Vec<Category>,
    pub keys: Keys,
    /// Each inversion once, those of a model together.
    pub work: Vec<Work>,
}

pub struct Category {
    pub name: String,
    pub images: Vec<RankedImage>,
    pub pairs: Vec<Pair>,
}

pub struct RankedImage {
    pub name: String,
    pub pixels: RgbImage,
    /// All models of the study, best first.
    pub ranking: Vec<RankedModel>,
}

/// Two images of a category between which is interpolated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub images: [usize; 2],
    /// The model at rank 1 of both.
    pub found: String,
    /// Any other.
    pub random: String,
}

/// An inversion that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub model: String,
    pub key: String,
    category: usize,
    image: usize,
}

/// How much of the categories is interpolated and shown.
pub struct Extent {
    pub interpolations: usize,
    pub shown: usize,
    pub seed: u32,
}

impl RankedImage {
    /// Ranks the models of a study for an image.
    pub fn new(image: Image, models: &[ZooModel], searcher: &Searcher) -> Result<Self, Error> {
        let (ranking, _) =
            searcher.rank(&Query::feature(&image.feature), Method::GaussianDensity)?;
        let is_in_study = |ranked: &RankedModel| models.iter().any(|m| m.name() == ranked.model);
        Ok(Self {
            name: image.name,
            pixels: image.pixels,
            ranking: ranking.models.into_iter().filter(is_in_study).collect(),
        })
    }

    /// The model at a rank, counted from 1.
    pub fn at_rank(&self, rank: usize) -> &str {
        &self.ranking[rank - 1].model
    }
}

impl Category {
    /// A category with pairs of images for interpolations.
    pub fn new(name: String, images: Vec<RankedImage>, number: u32, extent: &Extent) -> Self {
        let found: Vec<&str> = images.iter().map(|image| image.at_rank(1)).collect();
        let models: Vec<&str> = images.first().map_or(Vec::new(), |image| {
            image.ranking.iter().map(|r| r.model.as_str()).collect()
        });
        let pairs = pairs(&found, &models, extent.interpolations, |pair, count| {
            let mut random = RandomState::from_key(&[extent.seed, number, pair as u32]);
            (random.uniform() * count as f64) as usize
        });
        Self {
            name,
            images,
            pairs,
        }
    }
}

/// Neighboring images of the model that is most often at rank 1, each in one pair; `choose` gives a number below the
/// count for a pair's random model.
fn pairs(
    found: &[&str],
    models: &[&str],
    most: usize,
    choose: impl Fn(usize, usize) -> usize,
) -> Vec<Pair> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for model in found {
        *counts.entry(model).or_default() += 1;
    }
    // The first by name of those that are found as often.
    let Some((common, _)) = counts.into_iter().rev().max_by_key(|(_, count)| *count) else {
        return Vec::new();
    };
    let mut others: Vec<&str> = models.iter().copied().filter(|m| *m != common).collect();
    others.sort_unstable();
    if others.is_empty() {
        return Vec::new();
    }
    let images: Vec<usize> = (0..found.len()).filter(|i| found[*i] == common).collect();
    images
        .chunks_exact(2)
        .take(most)
        .enumerate()
        .map(|(pair, images)| Pair {
            images: [images[0], images[1]],
            found: common.to_owned(),
            random: others[choose(pair, others.len())].to_owned(),
        })
        .collect()
}

impl Plan {
    pub fn new(
        models: Vec<ZooModel>,
        ranks: Vec<usize>,
        categories: Vec<Category>,
        keys: Keys,
        extent: &Extent,
    ) -> Self {
        // Sorted by model and key, so that the order is that of the content too; equal images are inverted once.
        let mut work: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
        for (number, category) in categories.iter().enumerate() {
            let mut need = |model: &str, image: usize| {
                let key = keys.of(model, &category.images[image].pixels);
                work.entry((model.to_owned(), key))
                    .or_insert((number, image));
            };
            for (index, image) in category.images.iter().enumerate() {
                for rank in &ranks {
                    need(image.at_rank(*rank), index);
                }
                if index < extent.shown {
                    need(image.at_rank(1), index);
                }
            }
            for pair in &category.pairs {
                for image in pair.images {
                    need(&pair.found, image);
                    need(&pair.random, image);
                }
            }
        }
        let work = work
            .into_iter()
            .map(|((model, key), (category, image))| Work {
                model,
                key,
                category,
                image,
            })
            .collect();
        Self {
            models,
            ranks,
            categories,
            keys,
            work,
        }
    }

    /// The image that is inverted.
    pub fn image(&self, work: &Work) -> &RankedImage {
        &self.categories[work.category].images[work.image]
    }

    /// The work of one part: every so-manieth batch, so that parts are of one size and their batches full.
    pub fn part(&self, shard: Shard, batch: usize) -> Vec<&Work> {
        part(&self.work, shard, batch)
    }

    /// How many images of a category have the model of the category's name at rank 1; none where there is no such
    /// model.
    pub fn own_model_first(&self, category: &Category) -> Option<usize> {
        self.models
            .iter()
            .any(|model| model.name() == category.name)
            .then(|| {
                let images = category.images.iter();
                images
                    .filter(|image| image.at_rank(1) == category.name)
                    .count()
            })
    }
}

fn part(work: &[Work], shard: Shard, batch: usize) -> Vec<&Work> {
    work.chunk_by(|a, b| a.model == b.model)
        .flat_map(|of_model| of_model.chunks(batch))
        .enumerate()
        .filter(|(position, _)| shard.has(*position))
        .flat_map(|(_, batch)| batch)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn every_piece_of_work_is_in_one_part() {
        let work: Vec<Work> = [("a", 7), ("b", 1), ("c", 12), ("d", 5)]
            .into_iter()
            .flat_map(|(model, count)| {
                (0..count).map(move |image| Work {
                    model: model.to_owned(),
                    key: format!("{model}{image}"),
                    category: 0,
                    image,
                })
            })
            .collect();
        assert_eq!(part(&work, Shard::WHOLE, 4).len(), work.len());
        for batch in [1, 4, 100] {
            for count in 1..12 {
                let parts: Vec<Vec<&Work>> = (1..=count)
                    .map(|i| part(&work, format!("{i}/{count}").parse().unwrap(), batch))
                    .collect();
                let mut together: Vec<&Work> = parts.iter().flatten().copied().collect();
                together.sort_by(|a, b| a.key.cmp(&b.key));
                let mut all: Vec<&Work> = work.iter().collect();
                all.sort_by(|a, b| a.key.cmp(&b.key));
                assert_eq!(together, all, "{count} parts in batches of {batch}");
                let sizes = parts.iter().map(Vec::len);
                let (least, most) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
                // Batches of 4 models are not full, so two parts may differ by those and one more.
                assert!(most - least <= 5 * batch, "{least} to {most}");
            }
        }
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_share_the_model_that_is_found_most_often() {
        let found = ["b", "a", "b", "c", "b", "a", "b", "b"];
        let models = ["c", "b", "a"];
        let chosen = pairs(&found, &models, 9, |pair, count| pair % count);
        let expected = |images, random: &str| Pair {
            images,
            found: "b".to_owned(),
            random: random.to_owned(),
        };
        // The fifth has no partner.
        assert_eq!(chosen, [expected([0, 2], "a"), expected([4, 6], "c")]);
        assert_eq!(pairs(&found, &models, 1, |_, _| 0).len(), 1);
        assert_eq!(
            pairs(&["b", "a", "b", "a"], &models, 9, |_, _| 0)[0].found,
            "a"
        );
        assert!(pairs(&found, &["b"], 9, |_, _| 0).is_empty());
        assert!(pairs(&[], &[], 9, |_, _| 0).is_empty());
    }
}
