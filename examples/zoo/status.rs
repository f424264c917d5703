use std::process::ExitCode;

use examples::{Failure, output, table};
use ganymede::train::Standing;
use ganymede::zoo;
use model_zoo::FeatureQuality;

use crate::arguments::Status;

/// Prints the standings that `train --zoo all` keeps.
pub fn status(status: &Status) -> Result<ExitCode, Failure> {
    let standings = zoo::status(&status.runs)
        .map_err(|error| format!("--runs {error}; `train --zoo all` makes it"))?;
    let rows: Vec<Vec<String>> = standings
        .iter()
        .map(|(name, standing)| row(name, standing))
        .collect();
    table::print(
        &[
            "style",
            "kimg before",
            "kimg",
            "Fréchet distance",
            "precision",
            "coverage",
            "published",
            "better",
        ],
        &rows,
    );
    println!(
        "{} styles; in AlexNet's features, published -> now; better: clearly better than what is published",
        rows.len()
    );
    if let Some(path) = &status.json {
        output::write_json(path, &standings)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, standing: &Standing) -> Vec<String> {
    let both = |of: fn(&FeatureQuality) -> f64| {
        let shown = |quality: Option<&FeatureQuality>| {
            quality.map_or_else(|| "-".to_owned(), |quality| format!("{:.2}", of(quality)))
        };
        let now = standing.turns.last().map(|turn| &turn.measured);
        format!("{} -> {}", shown(standing.published.as_ref()), shown(now))
    };
    vec![
        name.to_owned(),
        format!("{:.0}", standing.start_kimg),
        format!("{:.0}", standing.kimg()),
        both(|quality| quality.frechet_distance),
        both(|quality| quality.precision),
        both(|quality| quality.coverage),
        standing.publications.len().to_string(),
        match standing.deserves_publication() {
            true => "yes".to_owned(),
            false => String::new(),
        },
    ]
}
