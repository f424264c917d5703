use std::process::ExitCode;

use model_zoo::{Card, Quality};
use serde::Serialize;

use examples::zoo_place::ZooPlace;
use examples::{Failure, output, table};

/// The network whose features no discriminator of the zoo sees.
const JUDGE: &str = "alexnet";

#[derive(Serialize)]
struct Results<'a> {
    models: Vec<&'a Card>,
}

/// Prints what the cards say.
pub fn list(place: &ZooPlace) -> Result<ExitCode, Failure> {
    let zoo = place.open_with_base()?;
    let rows: Vec<Vec<String>> = zoo.models().iter().map(|model| row(model.card())).collect();
    table::print(
        &[
            "model",
            "licence",
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
    if let Some(path) = &place.common.json {
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
        card.licence.clone(),
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
