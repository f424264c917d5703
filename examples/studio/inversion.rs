//! One inversion, as the page shows it.

use std::path::Path;
use std::time::Instant;

use ganymede::images::{Target, opaque, to_targets};
use ganymede::inversion::{Inversion, Progress, invert_with};
use ganymede::invert::{NoiseChoice, Settings, StartChoice, Stop, ended};
use ganymede::latents::from_tensor;
use ganymede::picture::LatentsText;
use ganymede::{Context, Error, Number, Observer, Phase, Preview};
use serde::Serialize;

/// More steps than these take minutes even at 64x64, and nothing is gained by them.
const MOST_STEPS: usize = 20_000;
const MOST_SAMPLES: usize = 10_000;

/// Whether the server inverts with these settings.
///
/// # Errors
///
/// A number is out of its range.
pub fn validate(settings: &Settings) -> Result<(), Error> {
    let refused = |option, found: String, problem: String| Error::Option {
        option,
        found,
        problem,
    };
    for (option, found, most) in [
        ("steps", settings.steps, MOST_STEPS),
        ("start_samples", settings.start_samples, MOST_SAMPLES),
    ] {
        if found > most {
            let problem = format!("expected at most {most}");
            return Err(refused(option, found.to_string(), problem));
        }
    }
    if settings.noise == NoiseChoice::Optimized {
        let problem = "a recipe has no optimised noise; use constant or none".to_owned();
        return Err(refused("noise", "optimized".to_owned(), problem));
    }
    if settings.refine || settings.start == StartChoice::Regressed {
        let problem = "the page does not do this; use the program invert".to_owned();
        let option = if settings.refine { "refine" } else { "start" };
        return Err(refused(option, String::new(), problem));
    }
    settings.validate()
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
    pub stop: Stop,
    pub seconds: f64,
}

/// Inverts an image file into a model. The observer hears the loss, LPIPS and PSNR at every step, and sees the reconstruction under the name `reconstruction`; when it
/// ends the job, what was found until then is returned.
pub fn run(
    image: &Path,
    which: &str,
    settings: &Settings,
    seed: u32,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Found, Error> {
    let model = context.model(which)?;
    settings.check_side(&model.name, model.resolution())?;
    let target = Target::load(image, model.resolution())?;
    let metric = context.lpips(settings.lpips)?;
    let targets = to_targets(&[target.pixels], &model.generator, context.device());
    observer.begin(&Phase::new("inversion", settings.steps));
    let started = Instant::now();
    let inversion = invert_with(
        &model.generator,
        &metric,
        targets,
        &settings.config(seed, context.device()),
        |progress| {
            if let Progress::Step(step) = progress {
                observer.position(step.step as u64 + 1);
                if let Some(losses) = step.losses.first() {
                    let numbers = [
                        Number::new("loss", losses.total, "", 4),
                        Number::new("LPIPS", losses.lpips, "", 4),
                        Number::new("PSNR", step.psnr()[0], "dB", 2),
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
    let (steps, stop) = ended(inversion);
    let best = &inversion.best;
    Found {
        w_plus: LatentsText::of(&from_tensor(best.w_plus.clone())[0]),
        lpips: best.losses.lpips,
        psnr: best.psnr,
        mse: best.losses.mse,
        w_plus_distance: best.w_plus_distance,
        steps,
        stop,
        seconds,
    }
}
