use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use feature_stats::{Ddof, Moments, Pca, Ridge};
use model_zoo::{Zoo, ZooModel};
use retrieval_gaussian::{IndexBuilder, IndexSettings, Precision};
use serde::{Deserialize, Serialize};

use super::options::{BuildOptions, Sampling};
use super::protocol::Protocol;
use crate::files::ShownPath;
use crate::index_record::IndexRecord;
use crate::{Context, Error, Observer, Warning, digest};

/// Moments of every model of the zoo, by name.
pub(super) fn all_moments(
    sampling: &Sampling,
    zoo: &Zoo,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Vec<(String, Moments)>, Error> {
    sampling.validate()?;
    let features = sampling
        .features
        .load(&context.weights()?, context.device())?;
    let protocol = Protocol {
        features: sampling.features.record(),
        samples: sampling.samples,
        truncation_psi: sampling.truncation_psi,
        seed: sampling.seed,
    };
    moments_of_each(zoo, sampling.skip_bad, observer, |model, observer| {
        protocol.moments(
            model,
            sampling.class,
            &features,
            sampling.moments.as_deref(),
            context.device(),
            observer,
        )
    })
}

/// Moments of all models, each as `moments` says. A model of which that cannot be said is named, and left out with `skip_bad`.
pub(super) fn moments_of_each(
    zoo: &Zoo,
    skip_bad: bool,
    observer: &mut dyn Observer,
    moments: impl Fn(&ZooModel, &mut dyn Observer) -> Result<Moments, Error>,
) -> Result<Vec<(String, Moments)>, Error> {
    let mut all = Vec::new();
    for model in zoo.models() {
        match moments(model, observer) {
            Ok(moments) => all.push((model.name().to_owned(), moments)),
            Err(error) => left_out(model.name(), error, skip_bad, observer)?,
        }
    }
    Ok(all)
}

/// Says why a model is left out, where that is allowed and nobody has ended the job.
pub(super) fn left_out(
    model: &str,
    error: Error,
    skip_bad: bool,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    if !skip_bad || matches!(error, Error::Cancelled) {
        return Err(error);
    }
    observer.warn(&Warning::ModelLeftOut {
        model: model.to_owned(),
        reason: error.to_string(),
    });
    Ok(())
}

/// Principal components of all features together.
pub(super) fn shared_components(moments: &[(String, Moments)], count: usize) -> Result<Pca, Error> {
    let mut models = moments.iter().map(|(_, moments)| moments);
    let Some(first) = models.next() else {
        return Err(Error::option("zoo", "", "there is no model to sample"));
    };
    let mut all = first.clone();
    for moments in models {
        all.merge(moments)?;
    }
    Ok(Pca::fit(&all.mean_covariance(Ddof::Sample)?, count)?)
}

pub(super) fn builder(
    moments: &[(String, Moments)],
    components: &Pca,
    ridge: f64,
) -> Result<IndexBuilder, Error> {
    let settings = IndexSettings::new(components.mean().len())
        .with_ridge(Ridge::new(ridge)?)
        .with_precision(Precision::F16)
        .with_projection(components)?;
    let mut builder = IndexBuilder::new(settings)?;
    for (name, moments) in moments {
        builder.add(name, &moments.mean_covariance(Ddof::Sample)?)?;
    }
    Ok(builder)
}

/// An index that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Built {
    /// Its file.
    pub index: ShownPath,
    /// How many models it has.
    pub models: usize,
    /// Principal components that features are projected on.
    pub dimension: usize,
    /// Size of the file.
    pub bytes: u64,
}

/// Samples all models of a zoo and writes their index. Models are the phases that the observer hears of.
///
/// # Errors
///
/// There is no zoo or no model, a model cannot be sampled, or a file cannot be written; [`Error::Cancelled`] when the observer ends the job. What was
/// sampled until then is kept in the folder of moments, where one is named, and the same job goes on from there.
pub fn build(
    options: &BuildOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Built, Error> {
    let sampling = &options.sampling;
    let zoo = super::open(sampling.zoo.as_deref(), context)?;
    let moments = all_moments(sampling, &zoo, context, observer)?;
    let components = shared_components(&moments, options.dimension)?;
    let is_sampled = |name: &str| moments.iter().any(|(sampled, _)| sampled == name);
    let generators = zoo
        .models()
        .iter()
        .filter(|model| is_sampled(model.name()))
        .map(|model| {
            Ok((
                model.name().to_owned(),
                digest::of_file(&model.generator_path())?,
            ))
        })
        .collect::<Result<_, Error>>()?;
    let mut classes = BTreeMap::new();
    for model in zoo.models().iter().filter(|m| is_sampled(m.name())) {
        if let Some(class) = class_of(model, sampling.class, context.device())? {
            classes.insert(model.name().to_owned(), class);
        }
    }
    let path = zoo.index_path();
    builder(&moments, &components, options.ridge)?
        .build()?
        .save(&path)?;
    IndexRecord {
        samples: sampling.samples,
        seed: sampling.seed,
        truncation_psi: sampling.truncation_psi,
        dimension: options.dimension,
        ridge: options.ridge,
        features: sampling.features.record(),
        generators,
        classes,
    }
    .write(&path)?;
    Ok(Built {
        models: moments.len(),
        dimension: options.dimension,
        bytes: file_size(&path)?,
        index: ShownPath(path),
    })
}

/// The class that a model's samples have of a class that was asked for: none where it has no classes.
pub(super) fn class_of(
    model: &ZooModel,
    asked: Option<usize>,
    device: &Device,
) -> Result<Option<usize>, Error> {
    let Some(class) = asked else {
        return Ok(None);
    };
    let classes = match &model.card().configuration {
        Some(configuration) => configuration.c_dim,
        None => model.load_generator(device)?.num_classes(),
    };
    Ok((classes > 0).then_some(class))
}

fn file_size(path: &Path) -> Result<u64, Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path, "cannot be read"))?;
    Ok(metadata.len())
}
