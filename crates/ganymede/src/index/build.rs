use ganymede::digest;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use burn::tensor::Device;
use feature_stats::{Ddof, Moments, Pca, Ridge};
use model_zoo::{Zoo, ZooModel};
use retrieval_gaussian::{IndexBuilder, IndexSettings, Precision};

use crate::arguments::{Build, Sampling};
use crate::statistics::Protocol;
use examples::interrupt::Interrupt;
use examples::{Failure, INTERRUPTED};
use ganymede::index_record::IndexRecord;

/// Moments of every model of the zoo, by name; `None` when interrupted.
pub fn all_moments(
    sampling: &Sampling,
    zoo: &Zoo,
    interrupt: &Interrupt,
) -> Result<Option<Vec<(String, Moments)>>, Failure> {
    let device = sampling.place.common.device.open()?;
    let features = sampling
        .features
        .load(&sampling.place.weights()?, &device)?;
    let protocol = Protocol {
        features: sampling.features.record(),
        samples: sampling.samples,
        truncation_psi: sampling.truncation_psi,
        seed: sampling.place.common.seed,
    };
    moments_of_each(zoo, sampling.skip_bad, |model| {
        protocol.moments(
            model,
            sampling.class,
            &features,
            &sampling.moments,
            &device,
            interrupt,
        )
    })
}

/// Moments of all models, each as `moments` says; `None` when that is interrupted. A model of which that cannot be said is named, and left out with
/// `skip_bad`.
pub fn moments_of_each(
    zoo: &Zoo,
    skip_bad: bool,
    moments: impl Fn(&ZooModel) -> Result<Option<Moments>, Failure>,
) -> Result<Option<Vec<(String, Moments)>>, Failure> {
    let mut all = Vec::new();
    for model in zoo.models() {
        let moments = match moments(model) {
            Err(error) if skip_bad => {
                eprintln!("{} is left out: {error}", model.name());
                continue;
            }
            other => other?,
        };
        let Some(moments) = moments else {
            eprintln!(
                "interrupted at {}; the same command goes on from there",
                model.name()
            );
            return Ok(None);
        };
        all.push((model.name().to_owned(), moments));
    }
    Ok(Some(all))
}

/// Principal components of all features together.
pub fn shared_components(moments: &[(String, Moments)], count: usize) -> Result<Pca, Failure> {
    let mut models = moments.iter().map(|(_, moments)| moments);
    let mut all = models.next().ok_or("the zoo has no models")?.clone();
    for moments in models {
        all.merge(moments)?;
    }
    Ok(Pca::fit(&all.mean_covariance(Ddof::Sample)?, count)?)
}

pub fn builder(
    moments: &[(String, Moments)],
    components: &Pca,
    ridge: f64,
) -> Result<IndexBuilder, Failure> {
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

pub fn build(build: &Build, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    let sampling = &build.sampling;
    let zoo = sampling.place.open()?;
    let Some(moments) = all_moments(sampling, &zoo, interrupt)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let components = shared_components(&moments, build.dimension)?;
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
        .collect::<Result<_, Failure>>()?;
    let device = sampling.place.common.device.open()?;
    let mut classes = BTreeMap::new();
    for model in zoo.models().iter().filter(|m| is_sampled(m.name())) {
        if let Some(class) = class_of(model, sampling.class, &device)? {
            classes.insert(model.name().to_owned(), class);
        }
    }
    let path = zoo.index_path();
    builder(&moments, &components, build.ridge)?
        .build()?
        .save(&path)?;
    IndexRecord {
        samples: sampling.samples,
        seed: sampling.place.common.seed,
        truncation_psi: sampling.truncation_psi,
        dimension: build.dimension,
        ridge: build.ridge,
        features: sampling.features.record(),
        generators,
        classes,
    }
    .write(&path)?;
    println!(
        "{}: {} models, {} dimensions, {} bytes",
        path.display(),
        moments.len(),
        build.dimension,
        file_size(&path)?
    );
    Ok(ExitCode::SUCCESS)
}

/// The class that a model's samples have of a class that was asked for: none where it has no classes.
pub fn class_of(
    model: &ZooModel,
    asked: Option<usize>,
    device: &Device,
) -> Result<Option<usize>, Failure> {
    let Some(class) = asked else {
        return Ok(None);
    };
    let classes = match &model.card().configuration {
        Some(configuration) => configuration.c_dim,
        None => model.load_generator(device)?.num_classes(),
    };
    Ok((classes > 0).then_some(class))
}

fn file_size(path: &Path) -> Result<u64, Failure> {
    let metadata = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(metadata.len())
}
