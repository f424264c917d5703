//! How well an index finds the models of held-out images.

use std::collections::BTreeSet;
use std::path::Path;

use image_tensor::{DecodeLimits, RgbImage};
use model_zoo::Zoo;
use ndarray::Array2;
use retrieval_gaussian::{
    EvaluatedQuery, Evaluation, Index, Query, Ranking, RetrievalMethod, SearchOptions,
};
use serde::{Deserialize, Serialize};

use super::build::{builder, in_memory, sampled_moments, shared_components};
use super::cross_fit::{Choice, CrossFitted, Settings, cross_fitted};
use super::options::EvaluateOptions;
use super::training_moments::training_moments;
use crate::features::UnitFeatures;
use crate::images::{bad_images, for_each_image};
use crate::{Context, Error, Observer, strip};

/// Accuracy for one choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// How models are scored.
    pub method: String,
    /// Principal components that features are projected on.
    pub dimension: usize,
    /// Added to the covariance's diagonal; only the density has one.
    pub ridge: f64,
    /// Share of images whose model comes first.
    pub top_1: f64,
    /// Share of images whose model is among the first five.
    pub top_5: f64,
    /// Share of images whose model is among the first ten.
    pub top_10: f64,
    /// Mean average precision among the first five.
    pub map_5: f64,
    /// Mean average precision among the first ten.
    pub map_10: f64,
}

/// Accuracies of all choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracies {
    /// Held-out images.
    pub queries: usize,
    /// Models of the zoo.
    pub models: usize,
    /// A row for each method, dimension and ridge.
    pub rows: Vec<Row>,
    /// A method's accuracy with settings that other images chose; empty without two images of a model.
    #[serde(default)]
    pub cross_fitted: Vec<CrossFitted>,
}

/// Accuracy on held-out images for several dimensions and ridges. The index in the zoo stays as it is.
///
/// # Errors
///
/// There is no zoo or no held-out image of its models, or a model cannot be sampled; [`Error::Cancelled`] when the
/// observer ends the job.
pub fn evaluate(
    options: &EvaluateOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Accuracies, Error> {
    let Some(most) = options.dimensions.iter().max().copied() else {
        return Err(Error::option("dimensions", "", "none given"));
    };
    let sampling = &options.sampling;
    let zoo = super::open(sampling.zoo.as_deref(), context)?;
    let weights = context.weights()?;
    let folder = options.queries.clone().unwrap_or_else(|| {
        // Those of the studies are the single ones and many more.
        let studies = weights.studies();
        if studies.is_dir() {
            studies
        } else {
            weights.queries()
        }
    });
    let moments = match options.training_images {
        true => training_moments(sampling, &zoo, context, observer)?,
        false => sampled_moments(sampling, zoo.models(), context, observer)?,
    };
    let features = sampling.features.load(&weights, context.device())?;
    let queries = queries(&zoo, &folder, sampling.skip_bad, &features, observer)?;
    let components = shared_components(in_memory(&moments), most)?;
    let mut rows = Vec::new();
    let mut choices = Vec::new();
    for dimension in &options.dimensions {
        let components = components.truncated(*dimension)?;
        for (position, ridge) in options.ridges.iter().enumerate() {
            let index = builder(in_memory(&moments), &components, *ridge)?.build()?;
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
                    let (result, of_images) = evaluation(&index, &queries, method)?;
                    choices.push(Choice {
                        method: name,
                        settings: Settings {
                            dimension: *dimension,
                            ridge: *ridge,
                        },
                        top_1: of_images.iter().map(|image| image.top_1).collect(),
                        average_precision_5: of_images.iter().map(|image| image.map_5).collect(),
                    });
                    rows.push(Row {
                        method: name.to_owned(),
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
    let expected: Vec<String> = queries.iter().map(|query| query.expected.clone()).collect();
    Ok(Accuracies {
        queries: queries.len(),
        models: moments.len(),
        rows,
        cross_fitted: cross_fitted(&choices, &expected),
    })
}

/// An image's features and the model that it should find.
struct HeldOut {
    expected: String,
    feature: Vec<f32>,
}

fn queries(
    zoo: &Zoo,
    folder: &Path,
    skip_bad: bool,
    features: &UnitFeatures,
    observer: &mut dyn Observer,
) -> Result<Vec<HeldOut>, Error> {
    let mut all = Vec::new();
    for name in zoo.names() {
        let path = folder.join(name);
        let below_each_other = folder.join(format!("{name}.png"));
        observer.go_on()?;
        let mut images: Vec<RgbImage> = Vec::new();
        if path.is_dir() {
            for_each_image(&[path], bad_images(skip_bad), observer, |image| {
                images.push(image.pixels);
                Ok(())
            })?;
        } else if below_each_other.is_file() {
            images = strip::read(&below_each_other, &DecodeLimits::default())?;
        }
        if images.is_empty() {
            continue;
        }
        let rows: Array2<f32> = features.of_images(&images);
        all.extend(rows.rows().into_iter().map(|row| HeldOut {
            expected: name.to_owned(),
            feature: row.to_vec(),
        }));
    }
    if all.is_empty() {
        return Err(Error::File {
            path: folder.to_owned(),
            problem: "no images of the zoo's models there; expected a folder of images for each, or a file NAME.png of square images below each other"
                .to_owned(),
        });
    }
    Ok(all)
}

/// Of all images together, and of each by itself.
fn evaluation(
    index: &Index,
    queries: &[HeldOut],
    method: RetrievalMethod,
) -> Result<(Evaluation, Vec<Evaluation>), Error> {
    let options = SearchOptions::new(method);
    let found: Vec<(Ranking, BTreeSet<String>)> = queries
        .iter()
        .map(|query| {
            let ranking = index.search(&Query::feature(&query.feature), &options)?;
            Ok((ranking, BTreeSet::from([query.expected.clone()])))
        })
        .collect::<Result<_, Error>>()?;
    let evaluated: Vec<EvaluatedQuery<'_>> = found
        .iter()
        .zip(queries)
        .map(|((ranking, relevant), query)| EvaluatedQuery {
            ranking,
            expected: &query.expected,
            relevant,
        })
        .collect();
    let of_images = evaluated
        .iter()
        .map(|query| Evaluation::of(std::slice::from_ref(query)))
        .collect::<Result<_, _>>()?;
    Ok((Evaluation::of(&evaluated)?, of_images))
}
