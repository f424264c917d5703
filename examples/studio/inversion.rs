//! One inversion, as the page shows it.

use std::path::Path;
use std::time::Instant;

use ganymede::images::{Target, opaque, to_targets};
use ganymede::inversion::{
    Inversion, InversionConfig, LatentSpace, Noise, Progress, Start, StopReason, invert, psnr,
};
use ganymede::lpips::Network;
use ganymede::picture::LatentsText;
use ganymede::{Context, Error, Number, Observer, Phase, Preview};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// How an image is inverted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub space: Space,
    pub steps: usize,
    pub lpips: LpipsNetwork,
    pub learning_rate: f64,
    pub lambda_lpips: f32,
    pub lambda_mse: f32,
    pub lambda_w_avg: f32,
    /// Starts at the best of so many random latents and the mean latent; 0 starts at the mean latent.
    pub start_samples: usize,
    pub noise: NoiseImages,
    pub seed: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    W,
    #[default]
    WPlus,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LpipsNetwork {
    #[default]
    Alex,
    Vgg,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseImages {
    #[default]
    Constant,
    None,
}

impl Default for Settings {
    fn default() -> Self {
        let config = InversionConfig::default();
        Self {
            space: Space::default(),
            steps: config.steps,
            lpips: LpipsNetwork::default(),
            learning_rate: config.learning_rate,
            lambda_lpips: config.lambda_lpips,
            lambda_mse: config.lambda_mse,
            lambda_w_avg: config.lambda_w_avg,
            start_samples: 0,
            noise: NoiseImages::default(),
            seed: 0,
        }
    }
}

/// Truncation of the random latents to start from.
const START_PSI: f32 = 0.7;
/// More steps than these take minutes even at 64x64, and nothing is gained by them.
const MOST_STEPS: usize = 20_000;
const MOST_SAMPLES: usize = 10_000;

impl Settings {
    /// # Errors
    ///
    /// A number is out of its range.
    pub fn validate(&self) -> Result<(), Error> {
        let refused = |option, found: usize, most| Error::Option {
            option,
            found: found.to_string(),
            problem: format!("expected at most {most}"),
        };
        if self.steps > MOST_STEPS {
            return Err(refused("steps", self.steps, MOST_STEPS));
        }
        if self.start_samples > MOST_SAMPLES {
            return Err(refused("start_samples", self.start_samples, MOST_SAMPLES));
        }
        Ok(self.config().validate()?)
    }

    fn config(&self) -> InversionConfig {
        InversionConfig {
            space: match self.space {
                Space::W => LatentSpace::W,
                Space::WPlus => LatentSpace::WPlus,
            },
            steps: self.steps,
            learning_rate: self.learning_rate,
            lambda_lpips: self.lambda_lpips,
            lambda_mse: self.lambda_mse,
            lambda_w_avg: self.lambda_w_avg,
            start: match self.start_samples {
                0 => Start::WAvg,
                samples => Start::BestOf {
                    samples,
                    truncation_psi: START_PSI,
                    seed: self.seed,
                },
            },
            noise: match self.noise {
                NoiseImages::Constant => Noise::Constant,
                NoiseImages::None => Noise::None,
            },
            ..InversionConfig::default()
        }
    }

    fn network(&self) -> Network {
        match self.lpips {
            LpipsNetwork::Alex => Network::AlexNet,
            LpipsNetwork::Vgg => Network::Vgg16,
        }
    }
}

/// What was found.
#[derive(Serialize)]
pub struct Found {
    pub w_plus: LatentsText,
    pub lpips: f64,
    pub psnr: f64,
    pub mse: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    pub w_plus_distance: f64,
    pub steps: usize,
    pub stop: &'static str,
    pub seconds: f64,
}

/// Inverts an image file into a model. The observer hears LPIPS and PSNR at every step, and sees the reconstruction under the name `reconstruction`; when it
/// ends the job, what was found until then is returned.
pub fn run(
    image: &Path,
    which: &str,
    settings: &Settings,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Found, Error> {
    let model = context.model(which)?;
    let target = Target::load(image, model.resolution())?;
    let metric = context.lpips(settings.network())?;
    let targets = to_targets(&[target.pixels], &model.generator, context.device());
    observer.begin(&Phase::new("inversion", settings.steps));
    let started = Instant::now();
    let inversion = invert(
        &model.generator,
        &metric,
        targets,
        &settings.config(),
        |progress| {
            if let Progress::Step(step) = progress {
                observer.position(step.step as u64 + 1);
                if let Some(losses) = step.losses.first() {
                    let numbers = [
                        Number::new("loss", losses.total, "", 4),
                        Number::new("LPIPS", losses.lpips, "", 4),
                        Number::new("PSNR", psnr(losses.mse), "dB", 2),
                    ];
                    observer.numbers(&numbers);
                }
                if observer.wants_previews() {
                    let image = opaque(step.images.clone()).swap_remove(0);
                    observer.preview(&Preview::new("reconstruction", &image));
                }
            }
            observer.flow()
        },
    )?
    .swap_remove(0);
    observer.end();
    Ok(found(&inversion, started.elapsed().as_secs_f64()))
}

fn found(inversion: &Inversion, seconds: f64) -> Found {
    let (steps, stop) = match inversion.stop {
        StopReason::Finished => (inversion.curve.len(), "finished"),
        StopReason::EarlyStopping { step } => (step, "early_stopping"),
        StopReason::Cancelled { step } => (step, "cancelled"),
        StopReason::NonFiniteLoss { step } => (step, "non_finite_loss"),
    };
    let best = &inversion.best;
    let [_, layers, features] = best.w_plus.dims();
    let values: Vec<f32> = best.w_plus.clone().into_data().iter::<f32>().collect();
    let w_plus = Array2::from_shape_vec((layers, features), values)
        .expect("as many values as the shape says");
    Found {
        w_plus: LatentsText::of(&w_plus),
        lpips: best.losses.lpips,
        psnr: best.psnr,
        mse: best.losses.mse,
        w_plus_distance: best.w_plus_distance,
        steps,
        stop,
        seconds,
    }
}
