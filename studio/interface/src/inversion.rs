//! Inversion of an image into one model or several.

use std::path::{Path, PathBuf};

use ganymede::invert::{self, Inverted, NoiseChoice, Options, Settings, Stop, TuningResult};
use ganymede::picture::Latent;
use ganymede::{Error, Observer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::reporter::{Listener, Reporter};
use crate::{Failure, Studio, TUNED_BYTES};

/// What is inverted, and how.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inversion {
    #[serde(skip_serializing)]
    image: String,
    #[serde(skip_serializing)]
    models: Vec<String>,
    settings: Settings,
    /// Tune each model to the image.
    tune: bool,
    tune_steps: usize,
    tune_learning_rate: f64,
    lambda_locality: f32,
    /// Of all that is random.
    seed: u32,
}

impl Default for Inversion {
    fn default() -> Self {
        let usual = Options::default();
        Self {
            image: String::new(),
            models: Vec::new(),
            settings: usual.inversion,
            tune: usual.tune,
            tune_steps: usual.tune_steps,
            tune_learning_rate: usual.tune_learning_rate,
            lambda_locality: usual.lambda_locality,
            seed: usual.seed,
        }
    }
}

/// Models of one job.
const MOST_MODELS: usize = 16;
/// More steps than these take minutes even at 64x64, and nothing is gained by them.
const MOST_STEPS: usize = 20_000;
const MOST_SAMPLES: usize = 10_000;

impl Inversion {
    /// The job for one model, and the file for the change of it.
    fn options(&self, image: &Path, which: &str, tuned_file: PathBuf) -> Options {
        Options {
            image: vec![image.to_owned()],
            model: which.to_owned(),
            inversion: self.settings.clone(),
            tune: self.tune,
            tune_steps: self.tune_steps,
            tune_learning_rate: self.tune_learning_rate,
            lambda_locality: self.lambda_locality,
            seed: self.seed,
            tuned_file: Some(tuned_file),
            ..Options::default()
        }
    }

    fn validate(&self) -> Result<(), Error> {
        let settings = &self.settings;
        for (option, found, most) in [
            ("steps", settings.steps, MOST_STEPS),
            ("refine_steps", settings.refine_steps, MOST_STEPS),
            ("tune_steps", self.tune_steps, MOST_STEPS),
            ("start_samples", settings.start_samples, MOST_SAMPLES),
        ] {
            if found > most {
                return Err(Error::Option {
                    option,
                    found: found.to_string(),
                    problem: format!("expected at most {most}"),
                });
            }
        }
        if settings.noise == NoiseChoice::Optimized {
            return Err(Error::Option {
                option: "noise",
                found: "optimized".to_owned(),
                problem: "a recipe has no optimized noise; use constant or none".to_owned(),
            });
        }
        self.options(Path::new(""), "", PathBuf::new()).validate()
    }
}

/// What was found for a model.
#[derive(Serialize)]
struct Found {
    id: String,
    /// As recipes take it: `w_plus`, or `refined`.
    latent: Latent,
    /// The id of the change of the model, where it was tuned.
    tuned: Option<String>,
    lpips: f64,
    psnr: f64,
    mse: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    w_plus_distance: f64,
    steps: usize,
    stop: Stop,
    seconds: f64,
    /// Mean LPIPS of other images of the tuned model from what they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<f64>,
}

impl Found {
    fn new(id: &str, found: &Inverted, tuning: Option<(&TuningResult, String)>) -> Self {
        let (moved, tuned) = tuning.map(|(result, id)| (result.moved, id)).unzip();
        Self {
            id: id.to_owned(),
            latent: found.latent(),
            tuned,
            lpips: found.lpips,
            psnr: found.psnr,
            mse: found.mse,
            w_plus_distance: found.w_plus_distance,
            steps: found.steps,
            stop: found.stop,
            seconds: found.seconds,
            moved,
        }
    }
}

impl Studio {
    /// Whether an inversion can be begun, so that a wrong name is told before its turn comes.
    ///
    /// # Errors
    ///
    /// It makes no sense, or names what is not here.
    pub fn check_inversion(&self, wanted: &Inversion) -> Result<(), Failure> {
        if wanted.models.is_empty() || wanted.models.len() > MOST_MODELS {
            return Err(Failure::refused(format!(
                "models: expected 1 to {MOST_MODELS}"
            )));
        }
        wanted.validate()?;
        self.uploads.image(&wanted.image)?;
        for model in &wanted.models {
            self.which(model)?;
        }
        Ok(())
    }

    /// Tells `model` before the events of each model's inversion, and ends with a result for each.
    ///
    /// # Errors
    ///
    /// As [`check_inversion`](Self::check_inversion) and [`invert::run`].
    pub fn invert(
        &self,
        wanted: &Inversion,
        listener: &mut dyn Listener,
    ) -> Result<Value, Failure> {
        self.check_inversion(wanted)?;
        let image = self.uploads.image(&wanted.image)?;
        let mut reporter = Reporter::new(listener);
        let which = wanted.models.iter().map(|id| self.which(id));
        let which = which.collect::<Result<Vec<String>, Failure>>()?;
        // A model that cannot be loaded is found before the work and not after that of others.
        for model in &which {
            self.context.model(model)?;
        }
        let mut results: Vec<Found> = Vec::new();
        for (id, which) in wanted.models.iter().zip(&which) {
            if reporter.cancelled() {
                break;
            }
            reporter.tell("model", &json!({ "id": id }));
            let scratch = self.uploads.scratch()?;
            let file = scratch.folder().join("tuned.safetensors");
            let options = wanted.options(&image, which, file);
            let outcome = match invert::run(&options, &self.context, &mut reporter) {
                // Before there was anything to give.
                Err(Error::Cancelled) => break,
                ended => ended?,
            };
            let tuning = match &outcome.tuning {
                Some(result) => match &result.file {
                    Some(file) => {
                        let bytes = whole_file::read(file, TUNED_BYTES as u64)?;
                        Some((result, self.uploads.keep_tuned(&bytes)?))
                    }
                    None => None,
                },
                None => None,
            };
            // There is none where the job was ended before its first step.
            if let Some(found) = outcome.inversions.first() {
                results.push(Found::new(id, found, tuning));
            }
        }
        Ok(json!({ "results": results, "cancelled": reporter.cancelled() }))
    }
}
