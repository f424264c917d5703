//! What goes beyond W+: inversions of held-out images by the starts, the prior, the refinement and the tuning of
//! [`invert`](crate::invert), side by side.

mod edits;
mod image;
mod options;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use image_tensor::{DecodeLimits, Rgb, RgbImage, decode_file, magnify, strip, write_png};
use retrieval_gaussian::Query;
use serde::Serialize;

pub use options::{Options, Way};
pub use rows::{EditSums, ImageResult, Measured, Row};

use crate::files::{self, make_folder};
use crate::search::{Method, Searcher};
use crate::{Context, Error, Observer, Phase};
use edits::Edits;
use image::ImageStudy;
use rows::{Metrics, summary};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// One for each way that was tried, in their order.
    pub rows: Vec<Row>,
    /// What the rows are of.
    pub images: Vec<ImageResult>,
    /// Whether the observer ended the job: images are missing from the rows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// Inverts held-out images of kinds of the zoo in every way that is asked for. What was measured of whole images is
/// given when the observer ends the job.
///
/// # Errors
///
/// An option, a model or an image cannot be used, the zoo has no index where a rank is asked for, or a picture cannot
/// be written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let weights = context.weights()?;
    let names = match options.models.is_empty() {
        true => weights.model_names(),
        false => options.models.clone(),
    };
    let searcher = match options.rank {
        Some(_) => Some(Searcher::open(None, None, &weights, context.device())?),
        None => None,
    };
    if let Some(folder) = &options.pictures {
        make_folder(folder)?;
    }
    let metrics = Metrics::load(context)?;
    let mut results: Vec<ImageResult> = Vec::new();
    let count = usize::from(options.images);
    let mut done = 0;
    observer.begin(&Phase::new("images", names.len() * count));
    let mut images = names
        .iter()
        .flat_map(|name| (0..count).map(move |number| (name, number)));
    let cancelled = loop {
        let Some((name, number)) = images.next() else {
            break false;
        };
        let file = weights.queries().join(name).join(format!("{number}.png"));
        let which = match (&searcher, options.rank) {
            (Some(searcher), Some(rank)) => ranked(searcher, &file, rank)?,
            _ => name.clone(),
        };
        let model = context.model(&which)?;
        let study = ImageStudy {
            options,
            model: &model,
            metrics: &metrics,
            context,
            edits: Edits::of(&model, context)?,
        };
        let found = study.image(&file, observer)?;
        if observer.cancelled() {
            // What was ended on its way says nothing about the way.
            break true;
        }
        let image = format!("{name}-{number}");
        if let Some(folder) = &options.pictures {
            write_strip(folder, &image, &found.pictures)?;
        }
        let of_ways = found.measured.into_iter();
        results.extend(of_ways.map(|(way, measured)| ImageResult {
            image: image.clone(),
            model: which.clone(),
            way,
            measured,
        }));
        done += 1;
        observer.position(done);
    };
    observer.end();
    let mut by_way: BTreeMap<Way, Vec<&Measured>> = BTreeMap::new();
    for result in &results {
        by_way.entry(result.way).or_default().push(&result.measured);
    }
    let rows = by_way.iter().map(|(way, of)| summary(*way, of));
    Ok(Outcome {
        rows: rows.collect(),
        images: results,
        cancelled,
    })
}

/// The model at a rank for an image.
fn ranked(searcher: &Searcher, file: &Path, rank: usize) -> Result<String, Error> {
    let image = decode_file(file, &DecodeLimits::default())?;
    let features = searcher.features(&[image]);
    let query = Query::feature(&features.row(0).to_vec());
    let (ranking, _) = searcher.rank(&query, Method::GaussianDensity)?;
    let models = ranking.models.len();
    let found = ranking.models.into_iter().nth(rank - 1);
    let found = found
        .ok_or_else(|| Error::option("rank", rank, format!("only {models} models are ranked")))?;
    // Only what the zoo has: a name of the index is no path.
    Ok(searcher.zoo.model(&found.model)?.name().to_owned())
}

fn write_strip(folder: &Path, label: &str, images: &[RgbImage]) -> Result<(), Error> {
    const FACTOR: u32 = 2;
    const PADDING: u32 = 2;
    let shown: Vec<RgbImage> = images.iter().map(|image| magnify(image, FACTOR)).collect();
    let file = files::file(folder, label, "png");
    Ok(write_png(file, &strip(&shown, PADDING, Rgb([255; 3])))?)
}
