//! Tuning of the model to the images whose latents were found.

use std::path::PathBuf;

use burn::tensor::Tensor;
use inversion::{Inversion, InversionError, Locality, Progress, StopReason, Tuning, TuningConfig};
use serde::Serialize;
use stylegan2::WeightDelta;
use web_time::Instant;

use super::search::{Reached, Search};
use super::{Batch, Options, Seen, tell};
use crate::device::DeviceChoice;
use crate::files::{self, ShownPath};
use crate::images::to_targets;
use crate::{Context, Error, Model, Observer, Phase};

/// A change of a model's weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TuningResult {
    /// Where it was written, for `--tuned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<ShownPath>,
    /// Bytes of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rank of the change of each weight.
    pub rank: usize,
    /// Mean LPIPS of other images of the model from what they were.
    pub moved: f64,
    /// Wall time, divided by the images.
    pub seconds: f64,
}

/// A tuned model.
pub(super) struct Tuned {
    pub model: Model,
    /// What it makes of the latents, batch by batch.
    pub reached: Vec<Vec<Reached>>,
    /// Wall time, divided by the images.
    pub seconds: f64,
    pub cancelled: bool,
    pub result: TuningResult,
}

/// Bytes of a file where nothing else is asked for: of a small model's, and of a large one's as a share of the model's
/// own.
const LEAST_BYTES: u64 = 100_000;
const SHARE_OF_MODEL: u64 = 20;

/// As [`inversion::tune`] takes it, for a model whose weights take so many bytes.
pub(super) fn config(options: &Options, model_bytes: u64, report_every: usize) -> TuningConfig {
    let usual = TuningConfig::default();
    TuningConfig {
        steps: options.tune_steps,
        learning_rate: options.tune_learning_rate,
        lambda_lpips: options.inversion.lambda_lpips,
        lambda_mse: options.inversion.lambda_mse,
        locality: Locality {
            lambda: options.lambda_locality,
            seed: options.seed.wrapping_add(usual.locality.seed),
            ..usual.locality
        },
        bytes: options
            .tune_bytes
            .unwrap_or(LEAST_BYTES.max(model_bytes / SHARE_OF_MODEL)),
        batch: usize::from(options.inversion.batch),
        report_every,
        ..usual
    }
}

/// Whether a change of the model can be as small as is asked for, which is to be known before the work.
pub(super) fn check(options: &Options, model: &Model) -> Result<(), Error> {
    let bytes = config(options, model.size_in_bytes(), 1).bytes;
    match WeightDelta::rank_within(&model.generator.weight_shapes(), bytes) {
        0 => Err(InversionError::NoRank { bytes }.into()),
        _ => Ok(()),
    }
}

impl Search<'_> {
    /// Tunes the searched model to images `[images, channels, side, side]` whose latents were found, and gives it as it
    /// is then. `names` are those of the images' previews.
    pub(crate) fn tuned(
        &self,
        options: &Options,
        inversions: &[Inversion],
        targets: Tensor<4>,
        names: Vec<String>,
        observer: &mut dyn Observer,
    ) -> Result<(Tuning, Model), Error> {
        let model = self.model;
        let every = DeviceChoice::of(self.context.device()).steps_between_reads();
        let config = config(options, model.size_in_bytes(), every);
        let w_plus = inversions.iter().map(|i| i.best.w_plus.clone()).collect();
        let mut seen = Seen::within(config.steps, every, names, false);
        observer.begin(&Phase::new("tuning", config.steps));
        let tuning = inversion::tune_with(
            &model.generator,
            self.metric,
            targets,
            Tensor::cat(w_plus, 0),
            &self.noise(inversions),
            &config,
            |progress| {
                tell(observer, progress);
                if let Progress::Step(step) = progress {
                    seen.see(observer, step);
                }
                observer.flow()
            },
        )?;
        observer.end();
        let tuned = Model {
            name: model.name.clone(),
            path: model.path.clone(),
            generator: model.generator.with_changes(&tuning.delta.weights),
        };
        Ok((tuning, tuned))
    }
}

/// Tunes a model to all images of the batches together.
pub(super) fn tune(
    options: &Options,
    model: &Model,
    batches: &[Batch<'_>],
    search: &Search<'_>,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Tuned, Error> {
    let started = Instant::now();
    let pixels: Vec<_> = batches.iter().flat_map(Batch::pixels).collect();
    let targets = to_targets(&pixels, &model.generator, context.device());
    let inversions: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.inversions.iter().cloned())
        .collect();
    let names = batches.iter().flat_map(|batch| batch.seen.names.clone());
    let (tuning, tuned) = search.tuned(options, &inversions, targets, names.collect(), observer)?;
    let in_folder = |out: &PathBuf| files::file(out, &model.name, "tuned.safetensors");
    let named = options.tuned_file.clone();
    let file = named.or_else(|| options.out.as_ref().map(in_folder));
    if let Some(file) = &file {
        tuning.delta.save(file, &[("model", &model.name)])?;
    }
    let bytes = file
        .as_ref()
        .and_then(|file| whole_file::properties(file).ok())
        .map(|data| data.length);
    let mut images = (0..pixels.len()).map(|row| Reached {
        image: tuning.images.clone().narrow(0, row, 1),
        losses: tuning.losses[row],
        psnr: tuning.psnr[row],
    });
    let reached = batches
        .iter()
        .map(|batch| images.by_ref().take(batch.targets.len()).collect())
        .collect();
    let seconds = started.elapsed().as_secs_f64() / pixels.len() as f64;
    Ok(Tuned {
        reached,
        seconds,
        cancelled: matches!(tuning.stop, StopReason::Cancelled { .. }),
        result: TuningResult {
            file: file.map(ShownPath),
            bytes,
            rank: tuning.rank,
            moved: tuning.moved,
            seconds,
        },
        model: tuned,
    })
}
