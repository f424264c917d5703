use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use image_tensor::RgbImage;
use model_zoo::Zoo;
use ndarray::Array2;
use retrieval_gaussian::{
    EvaluatedQuery, Evaluation, Index, Query, Ranking, RetrievalMethod, SearchOptions,
};
use serde::Serialize;

use crate::arguments::Evaluate;
use crate::build::{all_moments, builder, shared_components};
use crate::training_statistics::training_moments;
use examples::image_sets::BadImageArgs;
use examples::interrupt::Interrupt;
use examples::{Failure, INTERRUPTED, output, table};
use ganymede::features::Features;

/// Accuracy for one choice.
#[derive(Serialize)]
struct Row {
    method: &'static str,
    dimension: usize,
    ridge: f64,
    top_1: f64,
    top_5: f64,
    top_10: f64,
    map_5: f64,
    map_10: f64,
}

#[derive(Serialize)]
struct Results {
    queries: usize,
    models: usize,
    rows: Vec<Row>,
}

pub fn evaluate(evaluate: &Evaluate, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    let sampling = &evaluate.sampling;
    let place = &sampling.place;
    let zoo = place.open()?;
    let weights = place.weights()?;
    let folder = evaluate
        .queries
        .clone()
        .unwrap_or_else(|| weights.queries());
    let moments = match evaluate.training_images {
        true => training_moments(sampling, &zoo, interrupt)?,
        false => all_moments(sampling, &zoo, interrupt)?,
    };
    let Some(moments) = moments else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let device = place.common.device.open()?;
    let features = sampling.features.load(&weights, &device)?;
    let bad_images = BadImageArgs {
        skip_bad: sampling.skip_bad,
    };
    let queries = queries(&zoo, &folder, bad_images, &features)?;
    let most = evaluate.dimensions.iter().max().copied();
    let components = shared_components(&moments, most.ok_or("--dimensions: none given")?)?;
    let mut rows = Vec::new();
    for dimension in &evaluate.dimensions {
        let components = components.truncated(*dimension)?;
        for (position, ridge) in evaluate.ridges.iter().enumerate() {
            let index = builder(&moments, &components, *ridge)?.build()?;
            for (name, method) in [
                ("gaussian density", RetrievalMethod::GaussianDensity),
                ("first moment", RetrievalMethod::FirstMoment),
                (
                    "first and second moment",
                    RetrievalMethod::FirstAndSecondMoment,
                ),
            ] {
                // Only the density has a ridge.
                if method == RetrievalMethod::GaussianDensity || position == 0 {
                    let result = evaluation(&index, &queries, method)?;
                    rows.push(Row {
                        method: name,
                        dimension: *dimension,
                        ridge: *ridge,
                        top_1: result.top_1,
                        top_5: result.top_5,
                        top_10: result.top_10,
                        map_5: result.map_5,
                        map_10: result.map_10,
                    });
                }
            }
        }
    }
    print(&rows);
    println!("{} images of {} models", queries.len(), zoo.models().len());
    if let Some(path) = &place.common.json {
        let results = Results {
            queries: queries.len(),
            models: zoo.models().len(),
            rows,
        };
        output::write_json(path, &results)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// An image's features and the model that it should find.
struct HeldOut {
    expected: String,
    feature: Vec<f32>,
}

fn queries(
    zoo: &Zoo,
    folder: &Path,
    bad_images: BadImageArgs,
    features: &Features,
) -> Result<Vec<HeldOut>, Failure> {
    let mut all = Vec::new();
    for name in zoo.names() {
        let path = folder.join(name);
        if !path.is_dir() {
            continue;
        }
        let images: Vec<RgbImage> = bad_images.read(&path)?;
        let rows: Array2<f32> = features.of_images(&images);
        all.extend(rows.rows().into_iter().map(|row| HeldOut {
            expected: name.to_owned(),
            feature: row.to_vec(),
        }));
    }
    if all.is_empty() {
        return Err(format!(
            "{}: no images of the zoo's models there; expected a folder of images for each",
            folder.display()
        )
        .into());
    }
    Ok(all)
}

fn evaluation(
    index: &Index,
    queries: &[HeldOut],
    method: RetrievalMethod,
) -> Result<Evaluation, Failure> {
    let options = SearchOptions::new(method);
    let found: Vec<(Ranking, BTreeSet<String>)> = queries
        .iter()
        .map(|query| {
            let ranking = index.search(&Query::feature(&query.feature), &options)?;
            Ok((ranking, BTreeSet::from([query.expected.clone()])))
        })
        .collect::<Result<_, Failure>>()?;
    let evaluated: Vec<EvaluatedQuery<'_>> = found
        .iter()
        .zip(queries)
        .map(|((ranking, relevant), query)| EvaluatedQuery {
            ranking,
            expected: &query.expected,
            relevant,
        })
        .collect();
    Ok(Evaluation::of(&evaluated)?)
}

fn print(rows: &[Row]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let ridge = match row.method {
                "gaussian density" => format!("{:.0e}", row.ridge),
                _ => "-".to_owned(),
            };
            vec![
                row.method.to_owned(),
                row.dimension.to_string(),
                ridge,
                format!("{:.3}", row.top_1),
                format!("{:.3}", row.top_5),
                format!("{:.3}", row.top_10),
                format!("{:.3}", row.map_5),
                format!("{:.3}", row.map_10),
            ]
        })
        .collect();
    let header = [
        "method",
        "dimensions",
        "ridge",
        "top-1",
        "top-5",
        "top-10",
        "mAP@5",
        "mAP@10",
    ];
    table::print(&header, &cells);
}
