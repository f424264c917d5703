//! Changing an index model by model, with the principal components it has.

use ganymede::digest;
use std::process::ExitCode;

use feature_stats::Ddof;
use model_zoo::Zoo;
use retrieval_gaussian::{Index, IndexBuilder, IndexFile};

use crate::arguments::{Add, Update};
use crate::build;
use crate::statistics::Protocol;
use examples::interrupt::Interrupt;
use examples::zoo_place::ZooPlace;
use examples::{Failure, INTERRUPTED};
use ganymede::features::Features;
use ganymede::index_record::IndexRecord;

/// Samples models and appends them.
pub fn add(add: &Add, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    let zoo = add.update.place.open()?;
    let Some(added) = Sampled::new(&zoo, &add.names, &add.update, interrupt)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let mut file = IndexFile::open(zoo.index_path())?;
    file.append(&added.models)?;
    added.record.write(&zoo.index_path())?;
    println!("added {}; {} models", add.names.join(", "), file.len());
    Ok(ExitCode::SUCCESS)
}

/// Takes models out.
pub fn remove(names: &[String], place: &ZooPlace) -> Result<ExitCode, Failure> {
    let index = place.open()?.index_path();
    let mut record = IndexRecord::read(&index)?;
    let mut file = IndexFile::open(&index)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    file.remove(&names)?;
    record
        .generators
        .retain(|name, _| !names.contains(&name.as_str()));
    record
        .classes
        .retain(|name, _| !names.contains(&name.as_str()));
    record.write(&index)?;
    println!(
        "removed {}; {} models are left",
        names.join(", "),
        file.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Samples what is new or changed and takes out what is gone.
pub fn update(update: &Update, interrupt: &Interrupt) -> Result<ExitCode, Failure> {
    let zoo = update.place.open()?;
    let path = zoo.index_path();
    let record = IndexRecord::read(&path)?;
    let outdated = {
        let index = Index::open(&path)?;
        let indexed: Vec<&str> = index.names().collect();
        record.outdated(&zoo, &indexed)?
    };
    let wanted = [outdated.new.as_slice(), &outdated.changed].concat();
    let stale: Vec<&str> = outdated
        .changed
        .iter()
        .chain(&outdated.gone)
        .map(String::as_str)
        .collect();
    if wanted.is_empty() && stale.is_empty() {
        println!("{}: up to date", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(mut sampled) = Sampled::new(&zoo, &wanted, update, interrupt)? else {
        return Ok(ExitCode::from(INTERRUPTED));
    };
    sampled
        .record
        .generators
        .retain(|name, _| !outdated.gone.contains(name));
    sampled
        .record
        .classes
        .retain(|name, _| !outdated.gone.contains(name));
    let mut file = IndexFile::open(&path)?;
    file.remove(&stale)?;
    file.append(&sampled.models)?;
    let models = file.len();
    drop(file);
    // In one piece, without what was removed.
    Index::open(&path)?.save(&path)?;
    sampled.record.write(&path)?;
    println!(
        "{}: {} new, {} sampled again, {} taken out; {models} models",
        path.display(),
        outdated.new.len(),
        outdated.changed.len(),
        outdated.gone.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Models as the index takes them, and its record with them.
struct Sampled {
    models: IndexBuilder,
    record: IndexRecord,
}

impl Sampled {
    /// Samples models as the index was sampled; `None` when interrupted.
    fn new(
        zoo: &Zoo,
        names: &[String],
        update: &Update,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>, Failure> {
        let index = zoo.index_path();
        let mut record = IndexRecord::read(&index)?;
        let mut models = IndexBuilder::new(Index::open(&index)?.settings().clone())?;
        if names.is_empty() {
            return Ok(Some(Self { models, record }));
        }
        let device = update.place.common.device.open()?;
        let features = Features::load(
            &record.features,
            update.features_file.as_deref(),
            &update.place.weights()?,
            &device,
        )?;
        let protocol = Protocol {
            features: record.features.clone(),
            samples: record.samples,
            truncation_psi: record.truncation_psi,
            seed: record.seed,
        };
        for name in names {
            let model = zoo.model(name)?;
            let generator = digest::of_file(&model.generator_path())?;
            let class = update.class.or(record.classes.get(name).copied());
            let moments = match protocol.moments(
                model,
                class,
                &features,
                &update.moments,
                &device,
                interrupt,
            ) {
                Err(error) if update.skip_bad => {
                    eprintln!("{name} is left out: {error}");
                    continue;
                }
                other => other?,
            };
            let Some(moments) = moments else {
                eprintln!("interrupted at {name}; the same command goes on from there");
                return Ok(None);
            };
            models.add(name, &moments.mean_covariance(Ddof::Sample)?)?;
            record.generators.insert(name.clone(), generator);
            match build::class_of(model, class, &device)? {
                Some(class) => record.classes.insert(name.clone(), class),
                None => record.classes.remove(name),
            };
        }
        Ok(Some(Self { models, record }))
    }
}
