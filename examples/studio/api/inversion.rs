//! Inversion of an image into one model or several.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use ganymede::invert::{self, Inverted, NoiseChoice, Options, Settings, Stop, TuningResult};
use ganymede::picture::Latent;
use ganymede::{Error, Observer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::events::{self, Reporter};
use crate::failure::Failure;
use crate::input::Input;
use crate::studio::Studio;

/// What is inverted, and how.
#[derive(Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
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

impl Default for Wanted {
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

impl Wanted {
    /// The job for one model, whose files go to a folder.
    fn options(&self, image: &Path, which: &str, out: &Path) -> Options {
        Options {
            image: vec![image.to_owned()],
            model: which.to_owned(),
            inversion: self.settings.clone(),
            tune: self.tune,
            tune_steps: self.tune_steps,
            tune_learning_rate: self.tune_learning_rate,
            lambda_locality: self.lambda_locality,
            seed: self.seed,
            // Only a change of the model is needed as a file.
            out: self.tune.then(|| out.to_owned()),
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
        self.options(Path::new(""), "", Path::new("")).validate()
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

/// A job that tells `model` before the events of each model's inversion, and ends with a result for each.
pub async fn invert(
    State(studio): State<Arc<Studio>>,
    Input(wanted): Input<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    if wanted.models.is_empty() || wanted.models.len() > MOST_MODELS {
        return Err(Failure::refused(format!(
            "models: expected 1 to {MOST_MODELS}"
        )));
    }
    wanted.validate()?;
    // Wrong names are told at once and not when the job's turn comes.
    studio.uploads.image(&wanted.image)?;
    for model in &wanted.models {
        studio.which(model)?;
    }
    events::run(studio, move |studio, reporter| {
        all(&wanted, studio, reporter)
    })
}

fn all(wanted: &Wanted, studio: &Studio, reporter: &mut Reporter) -> Result<Value, Failure> {
    let image = studio.uploads.image(&wanted.image)?;
    let internal = |error: std::io::Error| Failure::internal(error.to_string());
    let mut results: Vec<Found> = Vec::new();
    for id in &wanted.models {
        if reporter.cancelled() {
            break;
        }
        reporter.tell("model", &json!({ "id": id }));
        let folder = tempfile::tempdir().map_err(internal)?;
        let options = wanted.options(&image, &studio.which(id)?, folder.path());
        let outcome = match invert::run(&options, &studio.context, reporter) {
            // Before there was anything to give.
            Err(Error::Cancelled) => break,
            ended => ended?,
        };
        let tuning = match &outcome.tuning {
            Some(result) => match &result.file {
                Some(file) => {
                    let bytes = std::fs::read(&file.0).map_err(internal)?;
                    Some((result, studio.uploads.keep_tuned(&bytes)?))
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
