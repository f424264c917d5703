//! All that a study has inverted.

use burn::tensor::Device;
use lpips::Lpips;
use model_zoo::Zoo;

use super::cache::{Cache, Kept};
use super::options::Options;
use super::plan::{Plan, RankedImage};
use crate::{Error, Model, Observer};

/// A study whose inversions are made.
pub struct Study<'a> {
    pub options: &'a Options,
    pub plan: &'a Plan,
    pub cache: &'a Cache,
    pub zoo: &'a Zoo,
    /// The metric of the loss.
    pub metric: &'a Lpips,
    pub device: &'a Device,
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
    /// Reads an inversion from the cache, also one that was just made: what is written must not matter for what is
    /// reported.
    pub fn inversion(
        &self,
        model: &str,
        image: &RankedImage,
        observer: &mut dyn Observer,
    ) -> Result<Kept, Error> {
        let key = self.plan.keys.of(model, &image.pixels);
        self.cache.require(&key, &image.name, model, observer)
    }

    pub fn model(&self, name: &str) -> Result<Model, Error> {
        Model::of_zoo(self.zoo.model(name)?, self.device)
    }

    pub fn results(&self, observer: &mut dyn Observer) -> Result<Vec<CategoryResults>, Error> {
        self.plan
            .categories
            .iter()
            .map(|category| {
                let mut of_rank = |rank: &usize| {
                    let images = category.images.iter();
                    images
                        .map(|image| self.inversion(image.at_rank(*rank), image, observer))
                        .collect::<Result<Vec<_>, _>>()
                };
                Ok(CategoryResults {
                    name: category.name.clone(),
                    own_model_first: self.plan.own_model_first(category),
                    inversions: self
                        .plan
                        .ranks
                        .iter()
                        .map(&mut of_rank)
                        .collect::<Result<_, Error>>()?,
                })
            })
            .collect()
    }
}
