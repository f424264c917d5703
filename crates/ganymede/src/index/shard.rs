use std::path::Path;

use serde::{Deserialize, Serialize};

use super::build::{left_out, sampled_moments, sources};
use super::options::Sampling;
use super::part::{Contents, PartRecord};
use crate::files::ShownPath;
use crate::shard::Shard;
use crate::{Context, Error, Observer};

/// A part of an index that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenPart {
    /// Its file, named after its content.
    pub part: ShownPath,
    /// The models that it has.
    pub models: Vec<String>,
}

/// Samples one of the equal parts of a zoo's models, which are neighbors by name, and writes their statistics into a
/// folder.
///
/// Processes on many machines may do so at once, and the same part may be made twice: with the same kernels it is the
/// same file, byte by byte. Parts become an index by [`merge`](fn@super::merge).
///
/// # Errors
///
/// As for [`build`](fn@super::build).
pub fn build_part(
    sampling: &Sampling,
    shard: Shard,
    folder: &Path,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<WrittenPart, Error> {
    let zoo = super::open(sampling.zoo.as_deref(), context)?;
    let models = &zoo.models()[shard.range(zoo.models().len())];
    let moments = sampled_moments(sampling, models, context, observer)?;
    let mut sources = sources(sampling, models, &moments, context.device())?;
    let features = sampling
        .features
        .load(&context.weights()?, context.device())?;
    let protocol = sampling.protocol();
    let mut contents = Contents::default();
    for (name, moments) in &moments {
        let own = protocol.own_features(
            zoo.model(name)?,
            sources.get(name).and_then(|source| source.class),
            &features,
            sampling.moments.as_deref(),
            context.device(),
            observer,
        );
        match own {
            Ok(own) => contents.add(name, moments, Some(own.view())),
            Err(error) => {
                left_out(name, error, sampling.skip_bad, observer)?;
                sources.remove(name);
            }
        }
    }
    let missing = models
        .iter()
        .map(|model| model.name().to_owned())
        .filter(|name| !sources.contains_key(name))
        .collect();
    let record = PartRecord {
        protocol,
        models: sources,
        left_out: missing,
    };
    let path = contents.save(folder, &record)?;
    Ok(WrittenPart {
        part: ShownPath(path),
        models: record.models.into_keys().collect(),
    })
}
