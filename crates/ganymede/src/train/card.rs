//! The card of a model: whose art it was trained on, under which license, how, and how good it became.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use checkpoint_file::FloatPrecision;
use model_zoo::Quality;
use serde::Serialize;
use vision_aided_finetune::{HistoryEntry, Trainer};

use super::credits::{self, Credit};
use super::{Recipe, held_out};
use crate::quality::rounded;
use crate::runs::provenance::Provenance;
use crate::training_images::TRAINING_IMAGES;
use crate::{Error, Weights};

const RENDERED_WITH: &str = "DiceBear 9 (@dicebear/collection), over white";

/// What the card says about the run.
pub(super) struct Run<'a> {
    pub recipe: &'a Recipe,
    pub trainer: &'a Trainer,
    pub history: &'a [HistoryEntry],
    pub provenance: &'a Provenance,
    pub precision: FloatPrecision,
}

#[derive(Serialize)]
struct Card<'a> {
    name: &'a str,
    description: String,
    license: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_url: Option<&'a str>,
    art: Art<'a>,
    training: Training<'a>,
    quality: &'a Quality,
    configuration: Configuration,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Art<'a> {
    Style {
        title: &'a str,
        artist: &'a str,
        source: &'a str,
        rendered_with: &'static str,
    },
    /// A line for each style.
    Mixture {
        rendered_with: &'static str,
        #[serde(flatten)]
        styles: BTreeMap<&'a str, String>,
    },
}

#[derive(Serialize)]
struct Training<'a> {
    command: String,
    /// Images of each file or folder.
    data: Vec<String>,
    images: usize,
    /// Whether none of the images is one that `weights/zoo/render` holds out; counted.
    held_out_rule: bool,
    start: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_sha256: Option<&'a str>,
    start_discriminator: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_discriminator_sha256: Option<&'a str>,
    kimg: f64,
    batch_size: usize,
    learning_rate: f64,
    r1_gamma: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    r2_gamma: Option<f64>,
    relativistic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    flatness_weight: Option<f64>,
    path_length_weight: f64,
    style_mixing: f64,
    average_kimg: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_rampup: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_average_kimg: Option<f64>,
    shared_images: bool,
    /// Learning rates that fell towards the end, as FROM:TO:FACTOR.
    #[serde(skip_serializing_if = "Option::is_none")]
    annealing: Option<String>,
    /// Stages of lower resolution, as SIDE:KIMG.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    progressive: Vec<String>,
    /// Frozen networks of further discriminators, and the side of their inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vision_aided: Vec<String>,
    augment: String,
    mirror: bool,
    noise: bool,
    freeze_layers: usize,
    seed: u64,
    /// Options that changed on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<String>,
    #[serde(flatten)]
    end: Option<End>,
}

/// The last line of the history, and the rate over all lines.
#[derive(Serialize)]
struct End {
    generator_loss: f64,
    discriminator_loss: f64,
    images_per_second: f64,
}

#[derive(Serialize)]
struct Configuration {
    img_resolution: usize,
    img_channels: usize,
    z_dim: usize,
    w_dim: usize,
    c_dim: usize,
    mapping_layers: usize,
    channel_base: usize,
    channel_max: usize,
    precision: String,
}

/// The text of `card.toml`.
pub(super) fn render(run: &Run<'_>, quality: &Quality, weights: &Weights) -> Result<String, Error> {
    let all = credits::read(weights)?;
    let styles = styles(run.provenance, &all)?;
    let side = run.trainer.resolution();
    let name = run.recipe.name.as_str();
    let (description, license_url, art) = match styles.iter().next() {
        Some((style, credit)) if styles.len() == 1 => (
            format!("{side} x {side} avatars in the style {style}"),
            Some(credit.license_url.as_str()),
            Art::Style {
                title: &credit.title,
                artist: &credit.artist,
                source: &credit.source,
                rendered_with: RENDERED_WITH,
            },
        ),
        _ => (
            format!("{side} x {side} avatars of {} styles", styles.len()),
            None,
            Art::Mixture {
                rendered_with: RENDERED_WITH,
                styles: styles.iter().map(|(style, c)| (*style, line(c))).collect(),
            },
        ),
    };
    let licenses: BTreeSet<&str> = styles.values().map(|credit| credit.spdx()).collect();
    let licenses: Vec<&str> = licenses.into_iter().collect();
    let card = Card {
        name,
        description,
        license: licenses.join(" AND "),
        license_url,
        art,
        training: training(run),
        quality,
        configuration: configuration(run),
    };
    Ok(toml::to_string_pretty(&card)?)
}

/// The styles whose images were trained on.
fn styles<'a>(
    provenance: &'a Provenance,
    all: &'a BTreeMap<String, Credit>,
) -> Result<BTreeMap<&'a str, &'a Credit>, Error> {
    let style = |file: &'a str| {
        let name = file
            .rsplit(['/', '\\'])
            .next()?
            .strip_suffix(TRAINING_IMAGES)?;
        Some((name, all.get(name)?))
    };
    provenance
        .data
        .iter()
        .map(|data| {
            style(&data.file).ok_or_else(|| Error::File {
                path: PathBuf::from(&data.file),
                problem: "queries.json names no artist and license for these training images, so the model cannot have a card".to_owned(),
            })
        })
        .collect()
}

fn line(credit: &Credit) -> String {
    format!("{} by {}, {}", credit.title, credit.artist, credit.spdx())
}

fn training<'a>(run: &Run<'a>) -> Training<'a> {
    let (trainer, provenance) = (run.trainer, run.provenance);
    let config = trainer.config();
    let mut command = vec!["cargo run --release --example train --".to_owned()];
    command.extend(provenance.command.iter().cloned());
    if run.recipe.kimg != run.recipe.default_kimg {
        command.push(format!("--kimg {}", run.recipe.kimg));
    }
    Training {
        command: command.join(" "),
        data: provenance
            .data
            .iter()
            .map(|data| {
                format!(
                    "{}: {} images, {}",
                    data.file, data.images, data.fingerprint
                )
            })
            .collect(),
        images: trainer.images().len(),
        held_out_rule: held_out::count(trainer.images()) == 0,
        start: &provenance.generator.from,
        start_sha256: provenance.generator.sha256.as_deref(),
        start_discriminator: &provenance.discriminator.from,
        start_discriminator_sha256: provenance.discriminator.sha256.as_deref(),
        kimg: rounded(trainer.images_shown() as f64 / 1000.0, 1),
        batch_size: config.batch_size,
        learning_rate: config.generator_adam.learning_rate,
        r1_gamma: config.r1_gamma,
        r2_gamma: (config.r2_gamma > 0.0).then_some(config.r2_gamma),
        relativistic: config.relativistic,
        flatness_weight: (config.flatness_weight > 0.0).then_some(config.flatness_weight),
        path_length_weight: config.path_length_weight,
        style_mixing: config.style_mixing_probability,
        average_kimg: config.average.kimg,
        average_rampup: config.average.rampup,
        slow_average_kimg: config.slow_average_kimg,
        shared_images: config.shared_images,
        annealing: config.annealing.map(|annealing| annealing.to_string()),
        progressive: config.progressive.iter().map(ToString::to_string).collect(),
        vision_aided: trainer
            .vision_aided()
            .iter()
            .map(|discriminator| {
                let backbone = discriminator.backbone();
                format!("{} at {} pixels", backbone.kind(), backbone.input_side())
            })
            .collect(),
        augment: config.augment.to_string(),
        mirror: config.mirror,
        noise: config.noise,
        freeze_layers: trainer.discriminator().config().block_kwargs.freeze_layers,
        seed: config.seed,
        changes: provenance
            .changes
            .iter()
            .map(|change| format!("at {:.1} kimg: {}", change.kimg, change.options.join(" ")))
            .collect(),
        end: end(run.history),
    }
}

fn end(history: &[HistoryEntry]) -> Option<End> {
    let last = history.last()?;
    // Entries are of different lengths, so images are divided by time rather than rates averaged.
    let (mut before, mut seconds) = (0.0, 0.0);
    for entry in history {
        seconds += (entry.kimg - before) * 1000.0 / entry.images_per_second;
        before = entry.kimg;
    }
    Some(End {
        generator_loss: rounded(last.generator_loss.into(), 3),
        discriminator_loss: rounded(last.discriminator_loss.into(), 3),
        images_per_second: rounded(last.kimg * 1000.0 / seconds, 1),
    })
}

fn configuration(run: &Run<'_>) -> Configuration {
    let network = run.trainer.generator_average().config();
    Configuration {
        img_resolution: network.img_resolution,
        img_channels: network.img_channels,
        z_dim: network.z_dim,
        w_dim: network.w_dim,
        c_dim: network.c_dim,
        mapping_layers: network.mapping_kwargs.num_layers,
        channel_base: network.synthesis_kwargs.channel_base,
        channel_max: network.synthesis_kwargs.channel_max,
        precision: run.precision.to_string().to_lowercase(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn entry(iteration: u64, images_per_second: f64) -> HistoryEntry {
        HistoryEntry {
            iteration,
            kimg: iteration as f64 * 0.016,
            generator_loss: f32::NAN,
            discriminator_loss: 1.23456,
            real_logit: 0.0,
            fake_logit: 0.0,
            r1_penalty: None,
            r2_penalty: None,
            excess_variation: None,
            path_length: None,
            vision_aided_generator_loss: None,
            vision_aided_discriminator_loss: None,
            vision_aided_factor: None,
            images_per_second,
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_valid_toml() {
        let text = toml::to_string(&end(&[entry(16, 10.0)])).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert!(table["generator_loss"].as_float().unwrap().is_nan());
        assert_eq!(table["discriminator_loss"].as_float(), Some(1.235));
    }

    /// 256 images in 25.6 s and 32 in 1.6 s.
    #[test]
    fn the_rate_is_that_of_the_whole_run() {
        let end = end(&[entry(16, 10.0), entry(18, 20.0)]).unwrap();
        assert_eq!(end.images_per_second, 10.6);
        assert!(super::end(&[]).is_none());
    }
}
