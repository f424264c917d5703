use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ganymede::Weights;
use model_zoo::{Card, Quality, Zoo};
use serde::Serialize;

use examples::{CommonArgs, Failure, output, table};

/// The network whose features no discriminator of the zoo sees.
const JUDGE: &str = "alexnet";

#[derive(Args, Debug)]
pub struct List {
    /// Folder of models [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    zoo: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Serialize)]
struct Results<'a> {
    models: Vec<&'a Card>,
}

/// Prints what the cards say.
pub fn list(list: &List) -> Result<ExitCode, Failure> {
    let root = match &list.zoo {
        Some(root) => root.clone(),
        None => Weights::open(list.common.weights.as_deref())?.zoo(),
    };
    let zoo = Zoo::open(root)?;
    let rows: Vec<Vec<String>> = zoo.models().iter().map(|model| row(model.card())).collect();
    table::print(
        &[
            "model",
            "license",
            "side",
            "kimg",
            "Fréchet distance",
            "diversity",
            "precision",
            "coverage",
            "inversion dB",
        ],
        &rows,
    );
    println!(
        "{} models; diversity: that of samples over that of training images; precision and coverage: in the features of {JUDGE}",
        rows.len()
    );
    if let Some(path) = &list.common.json {
        let models = zoo.models().iter().map(|model| model.card()).collect();
        output::write_json(path, &Results { models })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(card: &Card) -> Vec<String> {
    let quality = card.quality.as_ref();
    let measured = |value: fn(&Quality) -> Option<f64>, digits: usize| {
        quality
            .and_then(value)
            .map_or_else(unknown, |number| format!("{number:.digits$}"))
    };
    let kimg = card
        .further
        .get("training")
        .and_then(|training| training.get("kimg"));
    vec![
        card.name.clone(),
        card.license.clone(),
        card.img_resolution()
            .map_or_else(unknown, |side| side.to_string()),
        kimg.map_or_else(unknown, ToString::to_string),
        measured(|quality| quality.frechet_distance, 2),
        measured(|quality| quality.diversity_ratio, 2),
        measured(
            |quality| quality.features.get(JUDGE).map(|f| f.precision),
            2,
        ),
        measured(|quality| quality.features.get(JUDGE).map(|f| f.coverage), 2),
        measured(|quality| quality.inversion.as_ref().map(|i| i.psnr), 1),
    ]
}

fn unknown() -> String {
    "-".to_owned()
}
