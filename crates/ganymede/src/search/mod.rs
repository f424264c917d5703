//! Ranks the models of a zoo by how likely each is to make an image.

mod own_samples;
mod searcher;
mod typicality;

use std::path::PathBuf;
use std::time::Duration;

use image_source::{ImageSource, SourceImage};
use image_tensor::{DecodeLimits, RgbImage};
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use retrieval_gaussian::Query;
use serde::{Deserialize, Serialize};
use web_time::Instant;

pub(crate) use own_samples::OwnSamples;
pub use searcher::{Method, Searcher};
pub use typicality::{Fit, OwnScores};
pub(crate) use typicality::{KEPT_QUANTILES, KEPT_SAMPLES};

use crate::images::{bad_images, first_query_images};
use crate::{Context, Error, Observer, Warning};

/// What is searched for, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Images, each a query of its own [default: the first query image of every kind]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", num_args = 1..))]
    pub image: Vec<PathBuf>,
    /// Take all images as one query, such as a few-shot training set: the mean of their scores
    #[cfg_attr(feature = "clap", arg(long))]
    pub together: bool,
    /// Rank by likeness to this model of the zoo instead
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "NAME", conflicts_with = "image")
    )]
    pub like: Option<String>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Folder of models [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
    /// Weights of the feature network that the index was built with [default: the network's file in features/ of the
    /// weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Score
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub method: Method,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How models were scored, as [`Method::name`] has it.
    pub method: String,
    /// How many models there are.
    pub models: usize,
    /// To make the features of all images.
    pub feature_seconds: f64,
    /// To score all models for all queries.
    pub scoring_seconds: f64,
    /// In the order of the images.
    pub queries: Vec<QueryResult>,
}

/// The ranking for a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryResult {
    /// File, files or model.
    pub query: String,
    /// All models, the best first.
    pub ranking: Vec<Score>,
    /// The model that the image is most usual for, of searches for single images by Gaussian density in an index that
    /// keeps scores of samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

/// A model's score; only differences of scores mean something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Its name in the zoo.
    pub model: String,
    /// By the method that was asked for.
    pub score: f64,
    /// The share of its own samples that are less likely than the image, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typicality: Option<f64>,
}

impl Options {
    /// Whether the values make sense together.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        match &self.like {
            Some(model) if !self.image.is_empty() => Err(Error::option(
                "like",
                model,
                "a query is a model or images; leave out one of them",
            )),
            _ => Ok(()),
        }
    }
}

/// Reads a rank, counted from 1.
///
/// # Errors
///
/// The text is none; the error says what was expected.
pub fn rank(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1, the best model's rank".to_owned()),
        Ok(rank) => Ok(rank),
    }
}

/// Ranks all models for each query.
///
/// # Errors
///
/// The zoo has no index, an image cannot be read, or the weights of the index's feature network are missing;
/// [`Error::Cancelled`] when the observer ends the job.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let searcher = Searcher::open(
        options.zoo.as_deref(),
        options.features_file.as_deref(),
        &context.weights()?,
        context.device(),
    )?;
    if !searcher.outdated.is_harmless() {
        observer.warn(&Warning::IndexOutdated(searcher.outdated.clone()));
    }
    let (queries, feature_time) = queries(options, &searcher, context, observer)?;
    let mut results = Vec::new();
    let mut scoring = Duration::ZERO;
    for (name, query) in queries {
        observer.go_on()?;
        let (ranking, time) = searcher.rank(&query, options.method)?;
        scoring += time;
        // Densities of several images together, and of models, are not comparable with those of single samples.
        let is_of_one_image = options.like.is_none() && !options.together;
        let judged = is_of_one_image && options.method == Method::GaussianDensity;
        let fit = searcher.fit(&ranking.models).filter(|_| judged);
        let scores = ranking.models.into_iter().map(|ranked| Score {
            typicality: searcher
                .typicality(&ranked.model, ranked.score)
                .filter(|_| judged),
            model: ranked.model,
            score: ranked.score,
        });
        results.push(QueryResult {
            query: name,
            ranking: scores.collect(),
            fit,
        });
    }
    Ok(Outcome {
        method: options.method.name().to_owned(),
        models: searcher.index.len(),
        feature_seconds: feature_time.as_secs_f64(),
        scoring_seconds: scoring.as_secs_f64(),
        queries: results,
    })
}

/// Queries with what to call them, and how long their features took.
fn queries(
    options: &Options,
    searcher: &Searcher,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<(Vec<(String, Query)>, Duration), Error> {
    if let Some(model) = &options.like {
        let query = Query::model(model.as_str());
        return Ok((vec![(model.clone(), query)], Duration::ZERO));
    }
    let paths = if options.image.is_empty() {
        first_query_images(&context.weights()?)?
    } else {
        options.image.clone()
    };
    let mut found = Features::default();
    // Photographs are large, so that only a batch of them is held.
    let mut waiting: Vec<SourceImage> = Vec::new();
    let source = ImageSource::open_all(&paths)?;
    let bad_images = bad_images(options.skip_bad);
    let skipped = source.for_each(&DecodeLimits::default(), bad_images, |image| {
        observer.go_on()?;
        waiting.push(image);
        if waiting.len() == BATCH {
            found.add(&mut waiting, searcher);
        }
        Ok::<(), Error>(())
    })?;
    found.add(&mut waiting, searcher);
    for warning in Warning::of_images(&source, &skipped) {
        observer.warn(&warning);
    }
    if options.together {
        let name = format!("{} images", found.names.len());
        let all = concatenate(Axis(0), &found.rows()).expect("rows of one network");
        return Ok((vec![(name, Query::feature_set(all.view()))], found.time));
    }
    let rows = found.features.iter().flat_map(|batch| batch.outer_iter());
    let queries = rows.map(|row| Query::feature(&row.to_vec()));
    Ok((found.names.into_iter().zip(queries).collect(), found.time))
}

/// Images whose features are made together.
const BATCH: usize = 16;

/// Features of images, a batch each.
#[derive(Default)]
struct Features {
    names: Vec<String>,
    /// `[images, dimension]`.
    features: Vec<Array2<f32>>,
    time: Duration,
}

impl Features {
    fn rows(&self) -> Vec<ArrayView2<'_, f32>> {
        self.features.iter().map(|batch| batch.view()).collect()
    }

    fn add(&mut self, images: &mut Vec<SourceImage>, searcher: &Searcher) {
        if images.is_empty() {
            return;
        }
        let (names, pixels): (Vec<String>, Vec<RgbImage>) = images
            .drain(..)
            .map(|image| (image.name, image.pixels))
            .unzip();
        let started = Instant::now();
        let features = searcher.features(&pixels);
        self.time += started.elapsed();
        self.names.extend(names);
        self.features.push(features);
    }
}
