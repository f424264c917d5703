//! Drags points of a picture to where they should be: Pan et al. 2023, "Drag Your GAN: Interactive Point-based
//! Manipulation on the Generative Image Manifold".
//!
//! Two steps take turns. *Motion supervision* takes one step of Adam on the first layers of `w_plus`, down the gradient
//! of
//!
//! ```text
//! sum over handles i of  mean over q in a disk about p_i of |sg(F(q)) - F(q + d_i)|   +   lambda mean over all pixels of M |F - F_0|
//! ```
//!
//! where F are the features of a middle block, resized to the image. M is 1 where the picture is to stay and 0
//! elsewhere, `d_i` is the unit vector from the handle `p_i` to its target, and `sg` stops the gradient. *Point
//! tracking* then finds each handle again: the position near the old one where the features are most like those that
//! the handle had at first.
//!
//! ```
//! use ganymede::drag::{self, Handle};
//! use ganymede::{Context, Device};
//! # if ganymede::Weights::open(None).is_err() { return Ok(()) }
//!
//! let options = drag::Options {
//!     handles: vec![Handle { from: [32.0, 30.0], to: [32.0, 34.0] }],
//!     steps: 5,
//!     ..drag::Options::new(serde_json::from_str(r#"{"model": "micah", "latent": {"seed": {"seed": 2}}}"#)?)
//! };
//! let outcome = drag::run(&options, &Context::new(Device::flex()), &mut ())?;
//! assert!(outcome.steps <= 5 && outcome.points.len() == 1);
//! # Ok::<(), ganymede::Error>(())
//! ```

mod features;
mod mask;
mod options;
mod supervision;
mod tracking;

use burn::tensor::{Tensor, TensorData};
use image_tensor::from_signed_unit;
use inversion::AdamVariable;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use web_time::Instant;

pub use mask::Mask;
pub use options::{Handle, Options};

use crate::latents::from_tensor;
use crate::picture::LatentsText;
use crate::{Context, Error, Model, Number, Observer, Phase, Preview, picture};
use features::FeatureMap;
use options::Sizes;

/// Where the points went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The latents of the picture, as a recipe takes them.
    pub w_plus: LatentsText,
    /// Where the handles are now, `[x, y]` in pixels.
    pub points: Vec<[f64; 2]>,
    /// The mean distance of the handles from their targets, in pixels.
    pub distance: f64,
    /// Whether all handles are as near to their targets as was asked for.
    pub arrived: bool,
    /// Steps of the optimization.
    pub steps: usize,
    /// Wall time of these.
    pub seconds: f64,
    /// Whether the observer ended the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// Drags the handles to their targets. The observer hears the steps, the mean distance and the points, and sees the
/// picture under the name `picture`; when it ends the job, what there is then is returned.
///
/// # Errors
///
/// The options do not fit the model, or a step leads to numbers that are not finite.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let model = options.picture.load_model(context)?;
    if options.picture.offset(&model)?.is_some() {
        return Err(Error::option(
            "picture",
            "",
            "a refined latent cannot be dragged, as its offset would stay behind; drag its w_plus",
        ));
    }
    let sizes = options.sizes(&model)?;
    let start = options.picture.w_plus(&model, context)?;
    let mask = options
        .mask
        .as_ref()
        .map(|mask| mask.fixed(model.resolution(), context.device()));
    let mut search = Search {
        latents: Latents::new(&start, sizes.layers, context),
        options,
        sizes,
        model: &model,
        fixed: mask.transpose()?,
        points: options
            .handles
            .iter()
            .map(|handle| handle.from.map(f64::round))
            .collect(),
        first: None,
    };
    observer.begin(&Phase::new("drag", options.steps));
    let started = Instant::now();
    let outcome = search.run(observer)?;
    observer.end();
    Ok(Outcome {
        seconds: started.elapsed().as_secs_f64(),
        ..outcome
    })
}

/// `w_plus`, of which the first layers are optimized.
struct Latents {
    moved: AdamVariable<3>,
    /// The layers after these; none where all are optimized.
    rest: Option<Tensor<3>>,
}

impl Latents {
    fn new(w_plus: &Array2<f32>, layers: usize, context: &Context) -> Self {
        let all = picture::tensor(w_plus, context.device());
        let rest = w_plus.nrows() - layers;
        Self {
            moved: AdamVariable::new(all.clone().narrow(1, 0, layers)),
            rest: (rest > 0).then(|| all.narrow(1, layers, rest)),
        }
    }

    fn w_plus(&self, moved: Tensor<3>) -> Tensor<3> {
        match &self.rest {
            Some(rest) => Tensor::cat(vec![moved, rest.clone().autodiff()], 1),
            None => moved,
        }
    }

    fn text(&self) -> LatentsText {
        let moved = self.moved.value();
        let w_plus = match &self.rest {
            Some(rest) => Tensor::cat(vec![moved, rest.clone()], 1),
            None => moved,
        };
        LatentsText::of(&from_tensor(w_plus)[0])
    }
}

struct Search<'a> {
    options: &'a Options,
    sizes: Sizes,
    model: &'a Model,
    latents: Latents,
    /// 1 where the picture is to stay, `[1, 1, side, side]`.
    fixed: Option<Tensor<4>>,
    points: Vec<[f64; 2]>,
    /// Features of the start, and those of each handle there.
    first: Option<(FeatureMap, Vec<Tensor<2>>)>,
}

impl Search<'_> {
    fn run(&mut self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        let mut step = 0;
        loop {
            let leaf = self.latents.moved.leaf();
            let w_plus = self.latents.w_plus(leaf.clone());
            let (map, image) = features::of(
                w_plus,
                &self.options.picture.noise(),
                &self.sizes,
                self.model,
            );
            let plain = map.without_autodiff();
            match &self.first {
                Some((_, handles)) => {
                    for (point, handle) in self.points.iter_mut().zip(handles) {
                        *point =
                            tracking::track(&plain, handle, *point, self.sizes.tracking_radius);
                    }
                }
                None => {
                    let handles = self
                        .points
                        .iter()
                        .map(|point| plain.sample(&[*point]))
                        .collect();
                    self.first = Some((plain, handles));
                }
            }
            let distance = self.distance();
            self.tell(step, distance, &image, observer);
            let arrived = self.farthest() <= self.options.arrival();
            let cancelled = observer.cancelled();
            if arrived || cancelled || step == self.options.steps {
                return Ok(Outcome {
                    w_plus: self.latents.text(),
                    points: self.points.clone(),
                    distance,
                    arrived,
                    steps: step,
                    seconds: 0.0,
                    cancelled: cancelled && !arrived,
                });
            }
            self.step(&map, &leaf)?;
            step += 1;
        }
    }

    /// One step of motion supervision.
    fn step(&mut self, map: &FeatureMap, leaf: &Tensor<3>) -> Result<(), Error> {
        let moves: Vec<_> = self
            .points
            .iter()
            .zip(&self.options.handles)
            .filter_map(|(point, handle)| supervision::Move::new(*point, handle.to))
            .collect();
        let mut loss = supervision::loss(map, &moves, self.sizes.radius);
        if let (Some(fixed), Some((start, _))) = (&self.fixed, &self.first) {
            loss = loss
                + map
                    .difference(start, fixed)
                    .mul_scalar(self.options.lambda_mask);
        }
        let mut gradients = loss.backward();
        self.latents
            .moved
            .step(self.options.learning_rate, leaf, &mut gradients);
        let finite = self
            .latents
            .moved
            .value()
            .abs()
            .max()
            .into_scalar::<f32>()
            .is_finite();
        match finite {
            true => Ok(()),
            false => Err(Error::option(
                "learning_rate",
                self.options.learning_rate,
                "the latents are no longer finite; use a smaller one",
            )),
        }
    }

    fn distances(&self) -> impl Iterator<Item = f64> {
        let pairs = self.points.iter().zip(&self.options.handles);
        pairs.map(|(point, handle)| (point[0] - handle.to[0]).hypot(point[1] - handle.to[1]))
    }

    fn distance(&self) -> f64 {
        self.distances().sum::<f64>() / self.points.len() as f64
    }

    fn farthest(&self) -> f64 {
        self.distances().fold(0.0, f64::max)
    }

    fn tell(&self, step: usize, distance: f64, image: &Tensor<4>, observer: &mut dyn Observer) {
        observer.position(step as u64);
        observer.numbers(&[Number::new("distance", distance, "px", 2)]);
        observer.points(&self.points);
        if observer.wants_previews() {
            let image = from_signed_unit(image.clone()).swap_remove(0);
            observer.preview(&Preview::new("picture", &image));
        }
    }
}

/// A matrix of host numbers beside a tensor.
fn matrix(values: Vec<f32>, shape: [usize; 2], like: &Tensor<4>) -> Tensor<2> {
    Tensor::from_data(
        TensorData::new(values, shape),
        &like.device().without_autodiff(),
    )
}

#[cfg(test)]
mod tests;
