//! All ways for one image.

use std::path::Path;

use burn::tensor::Tensor;
use image_tensor::RgbImage;
use inversion::Inversion;
use lpips::Lpips;
use stylegan2::FeatureOffset;
use web_time::Instant;

use super::edits::{Edits, Made};
use super::options::{Options, Way};
use super::rows::{Measured, Metrics};
use crate::images::{Target, image_of, to_targets};
use crate::invert::{Reached, Search};
use crate::{Context, Error, Model, Observer};

/// What an image needs.
pub(super) struct ImageStudy<'a> {
    pub options: &'a Options,
    pub model: &'a Model,
    pub metrics: &'a Metrics,
    pub context: &'a Context,
    pub edits: Edits,
}

/// What was found for an image.
pub(super) struct OfImage {
    pub measured: Vec<(Way, Measured)>,
    /// Target, W+, refined, tuned, then the ends of the first named edit on W+ and on refined.
    pub pictures: Vec<RgbImage>,
}

/// Ends a search when the observer does, and tells it nothing: the job's phase is its images.
struct Quiet<'a>(&'a dyn Observer);

impl Observer for Quiet<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The latents of an image, and what the ways that start from them share.
struct Plain {
    inversion: Inversion,
    measured: Measured,
    /// The named edits of it.
    edits: Vec<Made>,
}

impl ImageStudy<'_> {
    /// Tries the ways one after the other. When the observer ends the job, what is returned is of no use.
    pub fn image(&self, file: &Path, observer: &dyn Observer) -> Result<OfImage, Error> {
        let (options, model) = (self.options, self.model);
        let target = Target::load(file, model.resolution())?.pixels;
        let targets = to_targets(
            std::slice::from_ref(&target),
            &model.generator,
            self.context.device(),
        );
        let metric = self.context.lpips(options.inversion.lpips)?;
        let mut quiet = Quiet(observer);
        let (inversion, of_plain) =
            self.search(Way::WPlus, &target, &targets, &metric, &mut quiet)?;
        let plain = Plain {
            edits: self.made(model, &inversion, None)?,
            inversion,
            measured: of_plain.clone(),
        };
        let mut measured = vec![(Way::WPlus, of_plain)];
        let mut by_lbfgs = None;
        for way in [Way::Lbfgs, Way::Regressed, Way::Prior] {
            if options.has(way) {
                let (found, of_way) = self.search(way, &target, &targets, &metric, &mut quiet)?;
                measured.push((way, of_way.clone()));
                if way == Way::Lbfgs {
                    by_lbfgs = Some((found, of_way));
                }
            }
        }
        let mut pictures = vec![target.clone(), image_of(&plain.inversion.best.image)];
        let mut refined_edits = None;
        if options.has(Way::Refined) {
            let (of_way, edits, picture) =
                self.refine(&plain, &target, &targets, &metric, &mut quiet)?;
            measured.push((Way::Refined, of_way));
            pictures.push(picture);
            refined_edits = Some(edits);
        }
        if options.has(Way::Tuned) {
            let pivot = match &by_lbfgs {
                Some((found, of_way)) => (found, of_way),
                None => (&plain.inversion, &plain.measured),
            };
            let (of_way, picture) =
                self.tune(pivot, &plain.edits, &targets, &metric, &mut quiet)?;
            measured.push((Way::Tuned, of_way));
            pictures.push(picture);
        }
        for made in [Some(&plain.edits), refined_edits.as_ref()] {
            let first = made.and_then(|made| made.first());
            pictures.extend(first.into_iter().flat_map(|made| made.ends.clone()));
        }
        Ok(OfImage { measured, pictures })
    }

    /// A search for latents.
    fn search(
        &self,
        way: Way,
        target: &RgbImage,
        targets: &Tensor<4>,
        metric: &Lpips,
        quiet: &mut Quiet<'_>,
    ) -> Result<(Inversion, Measured), Error> {
        let settings = self.options.settings_of(way);
        // What is fitted once is not a part of an image's time.
        let search = Search::new(
            &settings,
            self.options.seed,
            self.model,
            metric,
            self.context,
            quiet,
        )?;
        let started = Instant::now();
        let pixels = std::slice::from_ref(target);
        let inversion = search.latents(pixels, "", quiet, &mut |_, _| {})?.remove(0);
        let seconds = started.elapsed().as_secs_f64();
        let best = &inversion.best;
        let measured = Measured {
            distance: best.w_plus_distance,
            total: Some(best.losses.total),
            ..self.metrics.measure(&best.image, targets, seconds)?
        };
        Ok((inversion, measured))
    }

    /// The features behind a block, as `invert --refine` offsets them.
    fn refine(
        &self,
        plain: &Plain,
        target: &RgbImage,
        targets: &Tensor<4>,
        metric: &Lpips,
        quiet: &mut Quiet<'_>,
    ) -> Result<(Measured, Vec<Made>, RgbImage), Error> {
        let settings = self.options.settings_of(Way::Refined);
        let (seed, model) = (self.options.seed, self.model);
        let search = Search::new(&settings, seed, model, metric, self.context, quiet)?;
        let started = Instant::now();
        let found = search
            .refined(
                vec![plain.inversion.clone()],
                vec![Reached::by_latents(&plain.inversion)],
                model,
                std::slice::from_ref(target),
                "",
                quiet,
                &mut |_, _| {},
            )?
            .remove(0);
        let seconds = plain.measured.seconds + started.elapsed().as_secs_f64();
        let refinement = found.refinement.as_ref();
        let offset = refinement.map(|refinement| &refinement.offset);
        let edits = self.made(model, &plain.inversion, offset)?;
        let measured = Measured {
            distance: plain.measured.distance,
            mask: refinement
                .map(|refinement| f64::from(refinement.mask.clone().mean().into_scalar::<f32>())),
            edits: Made::compare(&plain.edits, &edits, self.metrics, self.context.device())?,
            ..self
                .metrics
                .measure(&found.reached.image, targets, seconds)?
        };
        Ok((measured, edits, image_of(&found.reached.image)))
    }

    /// The model, as `invert --tune` tunes it at latents that were found.
    fn tune(
        &self,
        (pivot, of_pivot): (&Inversion, &Measured),
        edits: &[Made],
        targets: &Tensor<4>,
        metric: &Lpips,
        quiet: &mut Quiet<'_>,
    ) -> Result<(Measured, RgbImage), Error> {
        let options = self.options.tuning();
        let (seed, model) = (self.options.seed, self.model);
        let search = Search::new(&options.inversion, seed, model, metric, self.context, quiet)?;
        let inversions = std::slice::from_ref(pivot);
        let started = Instant::now();
        let (tuning, tuned) = search.tuned(
            &options,
            inversions,
            targets.clone(),
            vec![String::new()],
            quiet,
        )?;
        let seconds = of_pivot.seconds + started.elapsed().as_secs_f64();
        let tuned_edits = self.made(&tuned, pivot, None)?;
        let measured = Measured {
            distance: of_pivot.distance,
            moved: Some(tuning.moved),
            edits: Made::compare(edits, &tuned_edits, self.metrics, self.context.device())?,
            ..self.metrics.measure(&tuning.images, targets, seconds)?
        };
        Ok((measured, image_of(&tuning.images)))
    }

    fn made(
        &self,
        model: &Model,
        inversion: &Inversion,
        offset: Option<&FeatureOffset>,
    ) -> Result<Vec<Made>, Error> {
        let w_plus = &inversion.best.w_plus;
        self.edits
            .made(model, w_plus, offset, self.context.device())
    }
}
