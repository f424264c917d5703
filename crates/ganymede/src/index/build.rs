use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;
use feature_stats::{Ddof, Moments, Pca, Ridge, StatsError};
use model_zoo::{Zoo, ZooModel};
use retrieval_gaussian::{Index, IndexBuilder, IndexPrecision, IndexSettings};
use serde::{Deserialize, Serialize};

use super::options::{BuildOptions, Sampling};
use super::own_scores::keep_own_scores;
use super::part::Source;
use super::protocol::Protocol;
use crate::files::ShownPath;
use crate::index_record::IndexRecord;
use crate::search::OwnScores;
use crate::{Context, Error, Observer, Warning, digest};

/// Moments of models, by name.
pub(super) fn sampled_moments(
    sampling: &Sampling,
    models: &[ZooModel],
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Vec<(String, Moments)>, Error> {
    sampling.validate()?;
    let features = sampling
        .features
        .load(&context.weights()?, context.device())?;
    let protocol = sampling.protocol();
    moments_of_each(models, sampling.skip_bad, observer, |model, observer| {
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

/// Moments of all models, each as `moments` says. A model of which that cannot be said is named, and left out with
/// `skip_bad`.
pub(super) fn moments_of_each(
    models: &[ZooModel],
    skip_bad: bool,
    observer: &mut dyn Observer,
    moments: impl Fn(&ZooModel, &mut dyn Observer) -> Result<Moments, Error>,
) -> Result<Vec<(String, Moments)>, Error> {
    let mut all = Vec::new();
    for model in models {
        match moments(model, observer) {
            Ok(moments) => all.push((model.name().to_owned(), moments)),
            Err(error) => left_out(model.name(), error, skip_bad, observer)?,
        }
    }
    Ok(all)
}

/// Says why a model is left out, where that is allowed and it is the model's fault.
pub(super) fn left_out(
    model: &str,
    error: Error,
    skip_bad: bool,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    if !skip_bad || !is_of_the_model(&error) {
        return Err(error);
    }
    observer.warn(&Warning::ModelLeftOut {
        model: model.to_owned(),
        reason: error.to_string(),
    });
    Ok(())
}

/// Whether an error says something of the model: a full disk, a damaged file of what was sampled before, and the end of
/// the job do not.
fn is_of_the_model(error: &Error) -> bool {
    !matches!(
        error,
        Error::Cancelled
            | Error::Io { .. }
            | Error::Checkpoint(_)
            | Error::Stats(StatsError::Io { .. } | StatsError::Malformed { .. })
    )
}

/// A model's name and its statistics, in memory or read just now.
pub(super) type Statistics<'m> = Result<(&'m str, Cow<'m, Moments>), Error>;

/// Statistics that are in memory.
pub(super) fn in_memory(moments: &[(String, Moments)]) -> impl Iterator<Item = Statistics<'_>> {
    let models = moments.iter();
    models.map(|(name, moments)| Ok((&**name, Cow::Borrowed(moments))))
}

/// Principal components of all features together.
pub(super) fn shared_components<'m>(
    mut models: impl Iterator<Item = Statistics<'m>>,
    count: usize,
) -> Result<Pca, Error> {
    let Some(first) = models.next() else {
        return Err(Error::option("zoo", "", "there is no model to sample"));
    };
    let mut all = first?.1.into_owned();
    for model in models {
        all.merge(&model?.1)?;
    }
    Ok(Pca::fit(&all.mean_covariance(Ddof::Sample)?, count)?)
}

pub(super) fn builder<'m>(
    models: impl Iterator<Item = Statistics<'m>>,
    components: &Pca,
    ridge: f64,
) -> Result<IndexBuilder, Error> {
    let settings = IndexSettings::new(components.mean().len())
        .with_ridge(Ridge::new(ridge)?)
        .with_precision(IndexPrecision::F16)
        .with_projection(components)?;
    let mut builder = IndexBuilder::new(settings)?;
    for model in models {
        let (name, moments) = model?;
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
/// There is no zoo or no model, a model cannot be sampled, or a file cannot be written; [`Error::Cancelled`] when the
/// observer ends the job. What was sampled until then is kept in the folder of moments, where one is named, and the
/// same job goes on from there.
pub fn build(
    options: &BuildOptions,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Built, Error> {
    let sampling = &options.sampling;
    let zoo = super::open(sampling.zoo.as_deref(), context)?;
    let moments = sampled_moments(sampling, zoo.models(), context, observer)?;
    let components = shared_components(in_memory(&moments), options.dimension)?;
    let index = builder(in_memory(&moments), &components, options.ridge)?.build()?;
    let sources = sources(sampling, zoo.models(), &moments, context.device())?;
    let mut built = write(
        &zoo,
        &index,
        sampling.protocol(),
        options.dimension,
        options.ridge,
        sources,
        BTreeMap::new(),
    )?;
    let bad = keep_own_scores(
        &zoo,
        sampling.features.features_file.as_deref(),
        sampling.moments.as_deref(),
        sampling.skip_bad,
        context,
        observer,
    )?;
    built.models -= bad.len();
    built.bytes = file_size(&zoo.index_path())?;
    Ok(built)
}

/// What the statistics of models are of.
pub(super) fn sources(
    sampling: &Sampling,
    models: &[ZooModel],
    moments: &[(String, Moments)],
    device: &Device,
) -> Result<BTreeMap<String, Source>, Error> {
    let sampled: BTreeSet<&str> = moments.iter().map(|(name, _)| &**name).collect();
    let source = |model: &ZooModel| {
        let source = Source {
            generator: digest::of_file(&model.generator_path())?,
            class: class_of(model, sampling.class, device)?,
        };
        Ok((model.name().to_owned(), source))
    };
    let sampled = |model: &&ZooModel| sampled.contains(model.name());
    models.iter().filter(sampled).map(source).collect()
}

/// Writes a zoo's index and the record beside it.
pub(super) fn write(
    zoo: &Zoo,
    index: &Index,
    protocol: Protocol,
    dimension: usize,
    ridge: f64,
    sources: BTreeMap<String, Source>,
    own_scores: BTreeMap<String, OwnScores>,
) -> Result<Built, Error> {
    let path = zoo.index_path();
    let models = sources.len();
    index.save(&path)?;
    let classes = sources.iter();
    let classes = classes
        .filter_map(|(name, source)| Some((name.clone(), source.class?)))
        .collect();
    IndexRecord {
        samples: protocol.samples,
        seed: protocol.seed,
        truncation_psi: protocol.truncation_psi,
        dimension,
        ridge,
        features: protocol.features,
        generators: sources
            .into_iter()
            .map(|(name, source)| (name, source.generator))
            .collect(),
        classes,
        own_scores,
    }
    .write(&path)?;
    Ok(Built {
        models,
        dimension,
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
