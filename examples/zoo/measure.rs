use std::process::ExitCode;

use clap::Args;
use ganymede::zoo::{self, Measured, Options};
use ganymede::{Observer, model_zoo::Zoo};

use examples::{CommonArgs, Failure, output, table};

#[derive(Args, Debug)]
pub struct Measure {
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Measures models and prints the numbers that are now in their cards.
pub fn measure(measure: &Measure, observer: &mut dyn Observer) -> Result<ExitCode, Failure> {
    let context = measure.common.context()?;
    let outcome = zoo::run(&measure.options, &context, observer)?;
    if let Some(name) = &outcome.cancelled_at {
        eprintln!("interrupted at {name}; the same command goes on from there");
    }
    print(&outcome.models);
    let root = match &measure.options.zoo {
        Some(root) => root.clone(),
        None => context.weights()?.zoo(),
    };
    println!(
        "{} cards written in {}",
        outcome.models.len(),
        Zoo::open(root)?.root().display()
    );
    if let Some(path) = &measure.common.json {
        output::write_json(path, &outcome)?;
    }
    Ok(examples::exit_code(outcome.cancelled_at.is_some()))
}

fn print(measured: &[Measured]) {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|measured| {
            let quality = &measured.quality;
            vec![
                measured.model.clone(),
                number(quality.frechet_distance, 3),
                number(quality.diversity_samples, 4),
                number(quality.diversity_real, 4),
                number(quality.diversity_ratio, 3),
                format!("{:.0}", measured.seconds),
            ]
        })
        .collect();
    table::print(
        &[
            "model",
            "Fréchet distance",
            "diversity",
            "of real images",
            "ratio",
            "seconds",
        ],
        &rows,
    );
}
