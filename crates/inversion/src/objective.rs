mod two_passes;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use image_tensor::{can_be_shown, rgb_over_white};
use lpips::{Lpips, TargetFeatures};
use stylegan2::{Generator, NoiseMode};
use stylegan2_ops::inner_products;

use crate::noise_regularization::noise_regularization;
use crate::w_statistics::mean_latent;
use crate::{InversionConfig, InversionError, LatentPrior, Noise};

const RGB: usize = 3;
/// Channels of an image with opacity.
const RGBA: usize = 4;

/// The parts of one image's objective at one step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct LossTerms {
    /// The weighted sum that is minimized.
    pub total: f64,
    /// LPIPS distance between image and target.
    pub lpips: f64,
    /// Mean squared error of the pixels in [-1, 1].
    pub mse: f64,
    /// [`noise_regularization`](crate::noise_regularization) before its weight; 0 unless noise images are optimized.
    pub noise_regularization: f64,
    /// Mean square of `w_plus - w_avg` before its weight; 0 unless it has one.
    pub w_avg_pull: f64,
    /// [`LatentPrior::pull`](crate::LatentPrior::pull) before its weight; 0 unless it has one.
    pub prior: f64,
    /// Mean square of the offset of features, in units of the features' root mean square, before its weight; 0 but in a
    /// refinement.
    pub offset_pull: f64,
}

/// Targets with what depends on them alone.
#[derive(Clone)]
pub(crate) struct Targets {
    pixels: Tensor<4>,
    features: TargetFeatures,
}

impl Targets {
    /// What is seen of them, [`seen`].
    pub fn pixels(&self) -> &Tensor<4> {
        &self.pixels
    }

    /// Those at some rows of the batch.
    pub fn select(&self, rows: Tensor<1, Int>) -> Self {
        Self {
            features: self.features.select(rows.clone()),
            pixels: self.pixels.clone().select(0, rows),
        }
    }
}

/// The function that is minimized, with its frozen networks.
pub(crate) struct Objective<'a> {
    generator: Generator,
    lpips: &'a Lpips,
    w_avg: Tensor<3>,
    lambda_lpips: f32,
    lambda_mse: f32,
    lambda_w_avg: f32,
    lambda_noise: Option<f32>,
    prior: Option<(f32, LatentPrior)>,
}

/// Images and their losses, one per row of the latents.
pub(crate) struct Evaluation {
    pub images: Tensor<4>,
    terms: Vec<Term>,
    /// What has the gradient of the terms that are plain numbers already, after two passes.
    through_images: Option<Tensor<1>>,
}

/// One term of the objective for every image, `[batch]`, before its weight.
struct Term {
    kind: TermKind,
    lambda: f32,
    values: Tensor<1>,
}

/// Which number of [`LossTerms`] a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermKind {
    Lpips,
    Mse,
    WAvgPull,
    NoiseRegularization,
    Prior,
    OffsetPull,
}

impl<'a> Objective<'a> {
    pub fn new(
        generator: &Generator,
        lpips: &'a Lpips,
        config: &InversionConfig,
    ) -> Result<Self, InversionError> {
        let channels = generator.synthesis.img_channels();
        if !can_be_shown(channels) {
            return Err(InversionError::Channels { channels });
        }
        // Without autodiff the weights are constants, so no time goes into their gradients.
        let generator = generator.valid();
        let w_avg = mean_latent(&generator);
        let lambda_noise = match &config.noise {
            Noise::Optimized(noise) => Some(noise.regularization),
            Noise::Constant | Noise::None => None,
        };
        let prior = match config.lambda_prior > 0.0 {
            true => Some((config.lambda_prior, LatentPrior::of(&generator)?)),
            false => None,
        };
        Ok(Self {
            prior,
            w_avg: w_avg.reshape([1, 1, generator.synthesis.w_dim()]),
            generator,
            lpips,
            lambda_lpips: config.lambda_lpips,
            lambda_mse: config.lambda_mse,
            lambda_w_avg: config.lambda_w_avg,
            lambda_noise,
        })
    }

    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// Mean latent, `[1, 1, w_dim]`.
    pub fn w_avg(&self) -> Tensor<3> {
        self.w_avg.clone()
    }

    pub fn device(&self) -> Device {
        self.w_avg.device()
    }

    /// Checks the targets' shape and computes their features once.
    pub fn prepare(&self, pixels: Tensor<4>) -> Result<Targets, InversionError> {
        let synthesis = &self.generator.synthesis;
        let (channels, resolution) = (synthesis.img_channels(), synthesis.img_resolution());
        let found = pixels.dims();
        let fits = |channels| found[1..] == [channels, resolution, resolution];
        // A picture without opacity is a target of a generator with one, too.
        let is_seen_alike = channels == RGBA && fits(RGB);
        if !(fits(channels) || is_seen_alike) {
            return Err(InversionError::TargetShape {
                found,
                channels,
                resolution,
            });
        }
        if found[0] == 0 {
            return Err(InversionError::NoTargets);
        }
        let pixels = seen(pixels.without_autodiff().to_device(&self.device()));
        Ok(Targets {
            features: self.lpips.prepare(rgb_over_white(pixels.clone()))?,
            pixels,
        })
    }

    /// Latents of the targets, checked, on the plain device.
    pub fn latents_of(
        &self,
        w_plus: Tensor<3>,
        targets: &Targets,
    ) -> Result<Tensor<3>, InversionError> {
        let synthesis = &self.generator.synthesis;
        let batch = targets.pixels.dims()[0];
        let expected = [batch, synthesis.num_ws(), synthesis.w_dim()];
        let found = w_plus.dims();
        match found == expected {
            true => Ok(w_plus.without_autodiff().to_device(&self.device())),
            false => Err(InversionError::LatentShape { found, expected }),
        }
    }

    /// Repeats latents `[batch, 1 or num_ws, w_dim]` for the layers: `[batch, num_ws, w_dim]`.
    pub fn w_plus(&self, latents: Tensor<3>) -> Tensor<3> {
        let [batch, _, w_dim] = latents.dims();
        latents.expand([batch, self.generator.synthesis.num_ws(), w_dim])
    }

    /// Images of w_plus `[batch, num_ws, w_dim]` and their losses.
    pub fn evaluate(&self, w_plus: Tensor<3>, noise: &NoiseMode, targets: &Targets) -> Evaluation {
        let evaluation = if self.needs_two_passes(&w_plus) {
            self.evaluate_in_two_passes(&w_plus, noise, targets)
        } else {
            let images = self.generator.synthesis.forward(w_plus.clone(), noise);
            self.judge(images, &w_plus, targets)
        };
        self.with_noise_term(evaluation, noise)
    }

    fn with_noise_term(&self, mut evaluation: Evaluation, noise: &NoiseMode) -> Evaluation {
        if let (Some(lambda), NoiseMode::Given(noise_images)) = (self.lambda_noise, noise) {
            let values = noise_regularization(noise_images);
            evaluation.add(TermKind::NoiseRegularization, lambda, values);
        }
        evaluation
    }

    /// The losses of images `[batch, channels, resolution, resolution]` that were made of w_plus.
    pub fn judge(&self, images: Tensor<4>, w_plus: &Tensor<3>, targets: &Targets) -> Evaluation {
        let compared = if self.lambda_lpips > 0.0 {
            images.clone()
        } else {
            // A weight of 0 leaves the distance a number to report.
            images.clone().without_autodiff()
        };
        let distances = self
            .lpips
            .distance_to(&targets.features, rgb_over_white(compared));
        self.evaluation(images, distances, &targets.pixels, w_plus)
    }

    /// LPIPS of images from their targets at every pixel, `[batch, 1, resolution, resolution]`.
    pub fn spatial_distance(&self, images: Tensor<4>, targets: &Targets) -> Tensor<4> {
        self.lpips
            .spatial_distance_to(&targets.features, rgb_over_white(images))
    }

    /// The terms that latents and images give, without those of noise images.
    fn evaluation(
        &self,
        images: Tensor<4>,
        lpips: Tensor<1>,
        pixels: &Tensor<4>,
        w_plus: &Tensor<3>,
    ) -> Evaluation {
        let mut terms = vec![
            Term {
                kind: TermKind::Lpips,
                lambda: self.lambda_lpips,
                values: lpips,
            },
            Term {
                kind: TermKind::Mse,
                lambda: self.lambda_mse,
                values: mean_square(seen(images.clone()) - pixels.clone()),
            },
        ];
        if self.lambda_w_avg > 0.0 {
            terms.push(Term {
                kind: TermKind::WAvgPull,
                lambda: self.lambda_w_avg,
                values: mean_square(w_plus.clone() - self.w_avg()),
            });
        }
        if let Some((lambda, prior)) = &self.prior {
            terms.push(Term {
                kind: TermKind::Prior,
                lambda: *lambda,
                values: prior.pull(w_plus.clone()),
            });
        }
        Evaluation {
            images: images.without_autodiff(),
            terms,
            through_images: None,
        }
    }

    /// Losses of the images of candidates w_plus `[count, num_ws, w_dim]` with each of some single targets:
    /// `[target][candidate]`.
    pub fn compare_all(
        &self,
        w_plus: Tensor<3>,
        noise: &NoiseMode,
        targets: &[Targets],
    ) -> Result<Vec<Vec<LossTerms>>, InversionError> {
        let images = self.generator.synthesis.forward(w_plus.clone(), noise);
        // The network sees each candidate once, however many targets there are.
        let features = self.lpips.prepare(rgb_over_white(images.clone()))?;
        let evaluations: Vec<Evaluation> = targets
            .iter()
            .map(|target| {
                let distances = self.lpips.between(&features, &target.features);
                self.evaluation(images.clone(), distances, &target.pixels, &w_plus)
            })
            .collect();
        Ok(read(&evaluations))
    }
}

/// Reads the losses of one or more evaluations with a single copy from the device: one list per evaluation, an entry
/// per image.
pub(crate) fn read<'e>(
    evaluations: impl IntoIterator<Item = &'e Evaluation>,
) -> Vec<Vec<LossTerms>> {
    let evaluations: Vec<&Evaluation> = evaluations.into_iter().collect();
    let terms = evaluations.iter().flat_map(|evaluation| &evaluation.terms);
    let parts: Vec<Tensor<1>> = terms
        .map(|term| term.values.clone().without_autodiff())
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let values: Vec<f32> = Tensor::cat(parts, 0)
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above");
    let mut rest = values.as_slice();
    evaluations
        .into_iter()
        .map(|evaluation| {
            let mut losses = vec![LossTerms::default(); evaluation.images.dims()[0]];
            for term in &evaluation.terms {
                let (of_images, later) = rest.split_at(losses.len());
                rest = later;
                for (losses, value) in losses.iter_mut().zip(of_images) {
                    losses.add(term, f64::from(*value));
                }
            }
            losses
        })
        .collect()
}

impl LossTerms {
    fn add(&mut self, term: &Term, value: f64) {
        // A term of weight 0 must not make the sum NaN.
        if term.lambda > 0.0 {
            self.total += value * f64::from(term.lambda);
        }
        *match term.kind {
            TermKind::Lpips => &mut self.lpips,
            TermKind::Mse => &mut self.mse,
            TermKind::WAvgPull => &mut self.w_avg_pull,
            TermKind::NoiseRegularization => &mut self.noise_regularization,
            TermKind::Prior => &mut self.prior,
            TermKind::OffsetPull => &mut self.offset_pull,
        } = value;
    }
}

impl Evaluation {
    /// Adds a term, `[batch]`.
    pub fn add(&mut self, kind: TermKind, lambda: f32, values: Tensor<1>) {
        self.terms.push(Term {
            kind,
            lambda,
            values,
        });
    }

    /// The sum over the batch of the weighted terms, whose gradient is each image's own. After two passes it has that
    /// gradient and another value.
    pub fn sum(&self) -> Tensor<1> {
        let is_known = |term: &Term| self.through_images.is_some() && !term.values.is_autodiff();
        let others = self.weighted(|term| !is_known(term));
        [self.through_images.clone(), others]
            .into_iter()
            .flatten()
            .reduce(|sum, term| sum + term)
            .expect("a checked configuration has a weight above 0")
    }

    /// The sum of some of the terms; none where none of them has a weight.
    fn weighted(&self, some: impl Fn(&Term) -> bool) -> Option<Tensor<1>> {
        self.terms
            .iter()
            .filter(|term| term.lambda > 0.0 && some(term))
            .map(|term| term.values.clone().sum().mul_scalar(term.lambda))
            .reduce(|sum, term| sum + term)
    }

    /// Frees the graph, keeping the numbers.
    pub fn without_graph(mut self) -> Self {
        self.through_images = None;
        for term in &mut self.terms {
            term.values = term.values.clone().without_autodiff();
        }
        self
    }
}

/// Images as they are compared, `[batch, 1 or 3, height, width]`: those with opacity over white, all others as they
/// are.
pub(crate) fn seen(images: Tensor<4>) -> Tensor<4> {
    match images.dims()[1] {
        RGBA => rgb_over_white(images),
        _ => images,
    }
}

/// Mean square over all dimensions but the first: `[batch]`.
pub(crate) fn mean_square<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let batch = x.dims()[0];
    let flat: Tensor<2> = x.reshape([batch as i32, -1]);
    let length = flat.dims()[1] as f32;
    inner_products(flat.clone(), flat) / length
}
