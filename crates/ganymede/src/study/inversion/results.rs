//! All that a study has inverted.

use burn::tensor::Device;
use lpips::Lpips;
use model_zoo::Zoo;

use crate::cache::{Cache, Kept};
use crate::options::Options;
use crate::plan::{Plan, RankedImage};
use examples::Failure;
use examples::interrupt::Interrupt;
use ganymede::Model;

/// A study whose inversions are made.
pub struct Study<'a> {
    pub options: &'a Options,
    pub plan: &'a Plan,
    pub cache: &'a Cache,
    pub zoo: &'a Zoo,
    /// The metric of the loss.
    pub metric: &'a Lpips,
    pub device: &'a Device,
    pub interrupt: &'a Interrupt,
}

/// The inversions of a category's images with the models at the study's ranks.
pub struct CategoryResults {
    pub name: String,
    /// Images that have the model of the category's name at rank 1; none where there is no such model.
    pub own_model_first: Option<usize>,
    /// `[rank][image]`.
    pub inversions: Vec<Vec<Kept>>,
}

impl CategoryResults {
    /// Number of images.
    pub fn images(&self) -> usize {
        self.inversions.first().map_or(0, Vec::len)
    }
}

impl Study<'_> {
    /// Reads an inversion from the cache, also one that was just made: what is written must not matter for what is reported.
    pub fn inversion(&self, model: &str, image: &RankedImage) -> Result<Kept, Failure> {
        let key = self.plan.keys.of(model, &image.pixels);
        self.cache.find(&key).ok_or_else(|| {
            format!(
                "{}: the inversion of {} into {model} was there and is no longer; run the same command again",
                self.cache.folder().display(),
                image.name
            )
            .into()
        })
    }

    pub fn model(&self, name: &str) -> Result<Model, Failure> {
        Ok(Model::of_zoo(self.zoo.model(name)?, self.device)?)
    }

    pub fn results(&self) -> Result<Vec<CategoryResults>, Failure> {
        self.plan
            .categories
            .iter()
            .map(|category| {
                let of_rank = |rank: &usize| {
                    let images = category.images.iter();
                    images
                        .map(|image| self.inversion(image.at_rank(*rank), image))
                        .collect::<Result<Vec<_>, _>>()
                };
                Ok(CategoryResults {
                    name: category.name.clone(),
                    own_model_first: self.plan.own_model_first(category),
                    inversions: self
                        .plan
                        .ranks
                        .iter()
                        .map(of_rank)
                        .collect::<Result<_, Failure>>()?,
                })
            })
            .collect()
    }
}
