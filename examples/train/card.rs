use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;
use vision_aided_finetune::{HistoryEntry, Trainer};

use crate::Failure;
use crate::diversity::{Diversity, IMAGES};

/// A style's record in `weights/queries/queries.json`.
#[derive(Deserialize)]
struct Credit {
    title: String,
    artist: String,
    source: String,
    licence: String,
    licence_url: String,
}

/// What the card says about the run.
pub struct Run<'a> {
    pub name: &'a str,
    pub trainer: &'a Trainer,
    pub history: &'a [HistoryEntry],
    /// What the weights started from.
    pub start: &'a str,
    pub precision: String,
    pub diversity: Diversity,
}

/// Writes `card.toml`: whose art a model was trained on, under which licence, and how.
pub fn write(run: &Run<'_>, queries: &Path, path: &Path) -> Result<(), Failure> {
    let credits: BTreeMap<String, Credit> =
        serde_json::from_slice(&std::fs::read(queries.join("queries.json"))?)?;
    let mut card = String::new();
    let name = run.name;
    match credits.get(name) {
        Some(credit) => style(&mut card, name, credit)?,
        None => mixture(&mut card, name, &credits)?,
    }
    training(&mut card, run)?;
    std::fs::write(path, card)?;
    Ok(())
}

fn style(card: &mut String, name: &str, credit: &Credit) -> std::fmt::Result {
    writeln!(card, "name = {}", text(name))?;
    writeln!(
        card,
        "description = {}",
        text(&format!("64 x 64 avatars in the style {name}"))
    )?;
    writeln!(card, "licence = {}", text(&spdx(&credit.licence)))?;
    writeln!(card, "licence_url = {}", text(&credit.licence_url))?;
    writeln!(card, "\n[art]")?;
    writeln!(card, "title = {}", text(&credit.title))?;
    writeln!(card, "artist = {}", text(&credit.artist))?;
    writeln!(card, "source = {}", text(&credit.source))?;
    writeln!(card, "rendered_with = {}", text(RENDERED_WITH))
}

const RENDERED_WITH: &str = "DiceBear 9 (@dicebear/collection), 64 x 64 pixels over white";

fn mixture(card: &mut String, name: &str, credits: &BTreeMap<String, Credit>) -> std::fmt::Result {
    writeln!(card, "name = {}", text(name))?;
    let description = format!(
        "64 x 64 avatars of {} styles, which their own models start from",
        credits.len()
    );
    writeln!(card, "description = {}", text(&description))?;
    let mut licences: Vec<String> = credits
        .values()
        .map(|credit| spdx(&credit.licence))
        .collect();
    licences.sort();
    licences.dedup();
    writeln!(card, "licence = {}", text(&licences.join(" AND ")))?;
    writeln!(card, "\n[art]")?;
    writeln!(card, "rendered_with = {}", text(RENDERED_WITH))?;
    for (style, credit) in credits {
        let credit = format!(
            "{} by {}, {}",
            credit.title,
            credit.artist,
            spdx(&credit.licence)
        );
        writeln!(card, "{style} = {}", text(&credit))?;
    }
    Ok(())
}

fn training(card: &mut String, run: &Run<'_>) -> std::fmt::Result {
    let trainer = run.trainer;
    let config = trainer.config();
    writeln!(card, "\n[training]")?;
    writeln!(
        card,
        "data = {}",
        text(&format!(
            "{} images; weights/zoo/render",
            trainer.images().len()
        ))
    )?;
    writeln!(card, "held_out_rule = true")?;
    writeln!(card, "start = {}", text(run.start))?;
    writeln!(card, "kimg = {:.1}", trainer.images_shown() as f64 / 1000.0)?;
    writeln!(card, "batch_size = {}", config.batch_size)?;
    writeln!(
        card,
        "learning_rate = {}",
        config.generator_adam.learning_rate
    )?;
    writeln!(card, "r1_gamma = {}", config.r1_gamma)?;
    writeln!(card, "path_length_weight = {}", config.path_length_weight)?;
    writeln!(card, "average_kimg = {}", config.average.kimg)?;
    writeln!(card, "augment = {}", text(&format!("{:?}", config.augment)))?;
    writeln!(card, "noise = {}", config.noise)?;
    writeln!(card, "seed = {}", config.seed)?;
    if let Some(last) = run.history.last() {
        writeln!(card, "generator_loss = {:.3}", last.generator_loss)?;
        writeln!(card, "discriminator_loss = {:.3}", last.discriminator_loss)?;
        let seconds: f64 = run.history.iter().map(|e| 1.0 / e.images_per_second).sum();
        writeln!(
            card,
            "images_per_second = {:.1}",
            run.history.len() as f64 / seconds
        )?;
    }
    writeln!(
        card,
        "command = {}",
        text(&format!(
            "cargo run --release --example train -- --zoo {}",
            run.name
        ))
    )?;

    writeln!(card, "\n[quality]")?;
    let protocol = format!(
        "mean LPIPS (alex, v0.1) of all pairs of {IMAGES} images: seeds 0 to {} at psi 1, and training images",
        IMAGES - 1
    );
    writeln!(card, "diversity_protocol = {}", text(&protocol))?;
    writeln!(card, "diversity_samples = {:.4}", run.diversity.samples)?;
    writeln!(card, "diversity_real = {:.4}", run.diversity.real)?;
    writeln!(card, "diversity_ratio = {:.3}", run.diversity.ratio())?;

    let network = trainer.generator_average().config();
    writeln!(card, "\n[configuration]")?;
    writeln!(card, "img_resolution = {}", network.img_resolution)?;
    writeln!(card, "img_channels = {}", network.img_channels)?;
    writeln!(card, "z_dim = {}", network.z_dim)?;
    writeln!(card, "w_dim = {}", network.w_dim)?;
    writeln!(card, "c_dim = {}", network.c_dim)?;
    writeln!(
        card,
        "mapping_layers = {}",
        network.mapping_kwargs.num_layers
    )?;
    writeln!(
        card,
        "channel_base = {}",
        network.synthesis_kwargs.channel_base
    )?;
    writeln!(
        card,
        "channel_max = {}",
        network.synthesis_kwargs.channel_max
    )?;
    writeln!(card, "precision = {}", text(&run.precision))
}

/// The licence's SPDX identifier, for those of the styles.
fn spdx(licence: &str) -> String {
    match licence {
        "CC BY 4.0" => "CC-BY-4.0".to_owned(),
        "CC0 1.0" => "CC0-1.0".to_owned(),
        other => other.to_owned(),
    }
}

/// A TOML string: JSON's escapes are valid in it.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
