use std::path::Path;
use std::process::ExitCode;

use feature_stats::{Ddof, Moments, Pca, Ridge};
use model_zoo::Zoo;
use retrieval_gaussian::{IndexBuilder, IndexFile, IndexSettings, Precision};

use crate::arguments::{Add, Build, Sampling};
use crate::cli::features::Features;
use crate::cli::index_record::IndexRecord;
use crate::cli::interrupt::Interrupt;
use crate::cli::{Failure, INTERRUPTED};
use crate::statistics::Protocol;

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
    let mut all = Vec::new();
    for model in zoo.models() {
        let moments = protocol.moments(model, &features, &sampling.moments, &device, interrupt)?;
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
    let path = zoo.index_path();
    builder(&moments, &components, build.ridge)?
        .build()?
        .save(&path)?;
    IndexRecord {
        samples: sampling.samples,
        truncation_psi: sampling.truncation_psi,
        dimension: build.dimension,
        ridge: build.ridge,
        features: sampling.features.record(),
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

fn file_size(path: &Path) -> Result<u64, Failure> {
    let metadata = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(metadata.len())
}

pub fn add(add: &Add, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    let zoo = add.place.open()?;
    let record = IndexRecord::read(&zoo.index_path())?;
    let device = add.place.common.device.open()?;
    let features = Features::load(
        &record.features,
        add.features_file.as_deref(),
        &add.place.weights()?,
        &device,
    )?;
    let protocol = Protocol {
        features: record.features,
        samples: record.samples,
        truncation_psi: record.truncation_psi,
        seed: add.place.common.seed,
    };
    let mut file = IndexFile::open(zoo.index_path())?;
    let mut builder = IndexBuilder::new(file.settings().clone())?;
    for name in &add.names {
        let model = zoo.model(name)?;
        let moments = protocol.moments(model, &features, &add.moments, &device, interrupt)?;
        let Some(moments) = moments else {
            eprintln!("interrupted at {name}; the same command goes on from there");
            return Ok(ExitCode::from(INTERRUPTED));
        };
        builder.add(name, &moments.mean_covariance(Ddof::Sample)?)?;
    }
    file.append(&builder)?;
    println!("added {}; {} models", add.names.join(", "), file.len());
    Ok(ExitCode::SUCCESS)
}
