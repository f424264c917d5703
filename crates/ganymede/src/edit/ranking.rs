//! All components listed, or ranked by an attribute.

use burn::tensor::Tensor;
use ganspace::{Edit, LatentDirections, associations, effects};
use ndarray::{Array1, Array2, Axis as Dimension};
use stylegan2::RandomState;

use super::attribute::Attribute;
use super::attribute_file::AttributeFile;
use super::options::{AttributeSource, Options};
use super::outcome::{ComponentResult, Outcome};
use super::plan::Axis;
use super::region::RegionColor;
use super::strip::in_strengths;
use super::trials::{STRENGTH, Trials};
use super::{mixtures, proposals};
use crate::images::bad_images;
use crate::latents::{FoundLatent, LatentSettings, LatentSource, without_offsets};
use crate::model_image::ModelImage;
use crate::{Context, Error, Model, Observer, Preview, feature_offset, rendering};

/// Components of a ranking that are shown.
const SHOWN: usize = 6;

/// What is measured.
pub enum Candidates<'a> {
    All(&'a LatentDirections),
    One(&'a Axis),
}

pub struct Job<'a> {
    pub options: &'a Options,
    pub model: &'a Model,
    pub settings: &'a LatentSettings<'a>,
    pub context: &'a Context,
}

impl Job<'_> {
    /// Lists all components with how far they move images, and those that move something in particular; gives their
    /// order.
    pub fn list(
        &self,
        directions: &LatentDirections,
        outcome: &mut Outcome,
        observer: &mut dyn Observer,
    ) -> Result<Vec<usize>, Error> {
        let edits = self.edits(directions)?;
        let latents = self.trial_latents(0, observer)?;
        let attributes = proposals::attributes();
        let trials = self.trials(&latents, &attributes);
        let measured = trials.measure(&edits, "edits", observer)?;
        let random = self.random_edits(&edits, edits.len());
        let at_random = trials.measure(&random, "random directions", observer)?;
        let scores = trials.scores()?;
        outcome.proposals = proposals::propose(&attributes, &scores, &measured, &at_random)?;
        let others = self.trial_latents(self.options.trials, observer)?;
        let products = self.trials(&others, &attributes).products(
            &edits,
            "what components do together",
            observer,
        )?;
        let layers = self.options.layers;
        let comparison = mixtures::Comparison {
            trials: &trials,
            scores: &scores,
            at_random: &at_random,
        };
        outcome.mixtures = mixtures::propose(&products, directions, layers, &comparison, observer)?;
        let per_stdev = |found: &Array2<f64>| {
            found.sum_axis(Dimension(0)) / (found.nrows() as f64 * 2.0 * STRENGTH)
        };
        outcome.components = per_stdev(&measured.movement)
            .into_iter()
            .zip(per_stdev(&at_random.movement))
            .enumerate()
            .map(|(component, (movement, random_movement))| ComponentResult {
                component,
                stdev: directions.stdev()[component],
                explained_variance_ratio: directions.explained_variance_ratio()[component],
                movement,
                random_movement,
            })
            .collect();
        Ok((0..edits.len()).collect())
    }

    /// The weights of the components' mixture that moves the color of a region for as little else as possible. It is
    /// found on other latents than those that edits are measured on.
    pub fn mixture(
        &self,
        color: RegionColor,
        directions: &LatentDirections,
        observer: &mut dyn Observer,
    ) -> Result<Array1<f64>, Error> {
        let edits = self.edits(directions)?;
        let latents = self.trial_latents(self.options.trials, observer)?;
        let attributes = [Attribute::Region(color)];
        let products = self.trials(&latents, &attributes).products(
            &edits,
            "what components do together",
            observer,
        )?;
        mixtures::weights(&products, 0)?.ok_or_else(|| {
            AttributeSource::Region(color)
                .refused("no component moves it; choose another region or channel")
        })
    }

    /// Ranks candidates by an attribute; gives the best components.
    pub fn rank(
        &self,
        source: AttributeSource<'_>,
        candidates: Candidates<'_>,
        outcome: &mut Outcome,
        observer: &mut dyn Observer,
    ) -> Result<Vec<usize>, Error> {
        let file = match source {
            AttributeSource::File(file) => file,
            AttributeSource::Region(color) => {
                let attribute = Attribute::Region(color);
                return self.rank_by_images(attribute, candidates, outcome, observer);
            }
        };
        match AttributeFile::read(file)? {
            AttributeFile::Images { with, without } => {
                let device = self.context.device();
                let features = &self.options.features;
                let attribute = Attribute::fit(
                    &with,
                    &without,
                    bad_images(self.options.skip_bad),
                    self.model,
                    features.load(&self.context.weights()?, device)?,
                    device,
                    observer,
                )?;
                self.rank_by_images(attribute, candidates, outcome, observer)
            }
            AttributeFile::Scores(scores) => match candidates {
                Candidates::All(directions) => {
                    self.rank_by_scores(&scores, directions, outcome, observer)
                }
                Candidates::One(_) => Err(source.refused(
                    "scores of seeds say nothing of edited images; leave out direction and edit to rank all components by the scores, or name \
                     images with and without the attribute",
                )),
            },
        }
    }

    fn rank_by_images(
        &self,
        attribute: Attribute,
        candidates: Candidates<'_>,
        outcome: &mut Outcome,
        observer: &mut dyn Observer,
    ) -> Result<Vec<usize>, Error> {
        let edits = match &candidates {
            Candidates::All(directions) => self.edits(directions)?,
            Candidates::One(axis) => vec![axis.edit.clone()],
        };
        let latents = self.trial_latents(0, observer)?;
        let attributes = [attribute];
        let trials = self.trials(&latents, &attributes);
        let scores = trials.scores()?.remove(0);
        let measured = trials.measure(&edits, "edits", observer)?.of_one();
        let random = self.random_edits(&edits, usize::from(self.options.random));
        let at_random = trials
            .measure(&random, "random directions", observer)?
            .of_one();
        let mut effects = effects(&scores, &measured, &at_random, STRENGTH)?;
        if let Candidates::One(axis) = candidates {
            for effect in &mut effects {
                effect.component = axis.component;
            }
        }
        if let [Attribute::Fitted { accuracy, .. }] = &attributes {
            outcome.attribute_accuracy = *accuracy;
            outcome.is_fitted = true;
        }
        outcome.ranking = effects.iter().map(|effect| (*effect).into()).collect();
        Ok(effects.iter().take(SHOWN).map(|e| e.component).collect())
    }

    fn rank_by_scores(
        &self,
        scores: &[(u32, f64)],
        directions: &LatentDirections,
        outcome: &mut Outcome,
        observer: &mut dyn Observer,
    ) -> Result<Vec<usize>, Error> {
        let seeds: Vec<LatentSource> = scores
            .iter()
            .map(|(seed, _)| LatentSource::Seed(*seed))
            .collect();
        let latents = without_offsets(self.settings.load(&seeds, self.model, observer)?);
        // The latent of a seed is the same in all layers.
        let w: Vec<f32> = latents
            .iter()
            .flat_map(|latent| latent.row(0).to_vec())
            .collect();
        let w = Array2::from_shape_vec((latents.len(), directions.w_dim()), w)
            .expect("a row for each latent");
        let values: Vec<f64> = scores.iter().map(|(_, score)| *score).collect();
        let found = associations(directions.coordinates(w.view())?.view(), &values)?;
        outcome.scored = values.len();
        outcome.ranking = found.iter().map(|a| (*a).into()).collect();
        Ok(found.iter().take(SHOWN).map(|a| a.component).collect())
    }

    /// A row of pictures for each component in its order.
    pub fn show(
        &self,
        directions: &LatentDirections,
        order: &[usize],
        latent: &FoundLatent,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Vec<ModelImage>>, Error> {
        let device = self.context.device();
        let offset = feature_offset::batch(&[latent.offset.as_ref()], device)?;
        let strengths = self.options.strengths();
        let mut rows = Vec::with_capacity(order.len());
        for component in order {
            observer.go_on()?;
            let edit = directions.edit(*component, self.options.layers)?;
            let latents = in_strengths(&edit, &latent.w_plus, &strengths)?;
            let images = latents
                .chunks(self.batch())
                .map(|latents| rendering::render_with(self.model, latents, offset.as_ref(), device))
                .collect::<Result<_, _>>()?;
            let images = ModelImage::from_signed_unit(Tensor::cat(images, 0));
            for (column, image) in images.iter().enumerate() {
                let name = format!("component-{component}-{column}");
                observer.preview(&Preview::new(&name, &image.opaque()));
            }
            rows.push(images);
        }
        Ok(rows)
    }

    fn edits(&self, directions: &LatentDirections) -> Result<Vec<Edit>, Error> {
        (0..directions.count())
            .map(|component| Ok(directions.edit(component, self.options.layers)?))
            .collect()
    }

    /// Steps in random directions, as long as those of the edits in turn.
    fn random_edits(&self, edits: &[Edit], count: usize) -> Vec<Edit> {
        let mut random = RandomState::new(self.options.seed);
        edits
            .iter()
            .cycle()
            .take(count)
            .map(|edit| edit.in_random_direction(|| random.standard_normal()))
            .collect()
    }

    /// As many latents as the options say, from this one on.
    fn trial_latents(
        &self,
        from: u16,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Array2<f32>>, Error> {
        let first = self.options.seed.wrapping_add(from.into());
        let seeds: Vec<LatentSource> = (0..u32::from(self.options.trials))
            .map(|index| LatentSource::Seed(first.wrapping_add(index)))
            .collect();
        let latents = self.settings.load(&seeds, self.model, observer)?;
        Ok(without_offsets(latents))
    }

    fn trials<'a>(&'a self, latents: &'a [Array2<f32>], attributes: &'a [Attribute]) -> Trials<'a> {
        Trials {
            model: self.model,
            latents,
            metric: self.settings.metric,
            attributes,
            batch: self.batch(),
            device: self.context.device(),
        }
    }

    fn batch(&self) -> usize {
        usize::from(self.options.inversion.batch)
    }
}
