use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use model_zoo::{Quality, ZooModel};
use serde::Serialize;
use vision_aided_finetune::ImageSet;

use crate::arguments::Measure;
use examples::gates::{Gates, compared};
use examples::quality::{QualityMeter, warn_of_collapse};
use examples::{Failure, INTERRUPTED, output, table};
use ganymede::BASE;
use ganymede::training_images;

#[derive(Serialize)]
struct Results {
    models: Vec<Measured>,
}

#[derive(Serialize)]
struct Measured {
    model: String,
    seconds: f64,
    #[serde(flatten)]
    quality: Quality,
}

/// Measures models and writes the numbers into their cards.
pub fn measure(measure: &Measure, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    let place = &measure.place;
    let zoo = place.open_with_base()?;
    let weights = place.weights()?;
    let device = place.common.device.open()?;
    let mut models: Vec<ZooModel> = if measure.names.is_empty() {
        let all = zoo.models().iter();
        all.filter(|model| model.name() != BASE).cloned().collect()
    } else {
        let names = measure.names.iter();
        names
            .map(|name| Ok(zoo.model(name)?.clone()))
            .collect::<Result<_, Failure>>()?
    };
    if measure.missing {
        models.retain(|model| {
            let quality = model.card().quality.as_ref();
            quality.is_none_or(|quality| {
                quality.frechet_distance.is_none() || quality.features.is_empty()
            })
        });
    }
    let data = measure
        .data
        .clone()
        .unwrap_or_else(|| training_images::folder(&weights));
    // Before hours of work, so that a missing file does not end it.
    let mut work = Vec::with_capacity(models.len());
    for model in models {
        match training_images::files(model.name(), &data) {
            Ok(files) => work.push((model, files)),
            Err(reason) => leave_out(measure, model.name(), reason.into())?,
        }
    }
    let meter = QualityMeter::new(
        &weights,
        measure.frechet_images,
        &measure.moments,
        &device,
        interrupted,
    )?;
    let gates = Gates::new(
        &weights,
        compared(measure.frechet_images),
        &measure.moments,
        &device,
        interrupted,
    )?;
    let mut measured = Vec::new();
    let mut finished = true;
    for (mut model, files) in work {
        let started = Instant::now();
        let name = model.name().to_owned();
        let found = match quality_of(&model, &files, &meter, &gates) {
            Ok(Some(found)) => found,
            Ok(None) => {
                eprintln!("interrupted at {name}; the same command goes on from there");
                finished = false;
                break;
            }
            Err(reason) => {
                leave_out(measure, &name, reason)?;
                continue;
            }
        };
        let further = model.card().quality.clone().unwrap_or_default().further;
        let quality = Quality { further, ..found };
        model.set_quality(quality.clone())?;
        warn_of_collapse(&name, &quality);
        measured.push(Measured {
            model: name,
            seconds: started.elapsed().as_secs_f64(),
            quality,
        });
    }
    print(&measured);
    println!(
        "{} cards written in {}",
        measured.len(),
        zoo.root().display()
    );
    if let Some(path) = &place.common.json {
        output::write_json(path, &Results { models: measured })?;
    }
    Ok(if finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    })
}

/// Names a model that cannot be measured, where that is allowed.
fn leave_out(measure: &Measure, name: &str, reason: Failure) -> Result<(), Failure> {
    if !measure.skip_bad {
        return Err(reason);
    }
    eprintln!("{name} is left out: {reason}");
    Ok(())
}

/// Measures one model; `None` when interrupted.
fn quality_of(
    model: &ZooModel,
    files: &[PathBuf],
    meter: &QualityMeter<'_>,
    gates: &Gates<'_>,
) -> Result<Option<Quality>, Failure> {
    let (name, file) = (model.name(), model.generator_path());
    let images = images(model, files)?;
    match meter.measure(name, &file, &images)? {
        Some(found) => gates.measure(name, &file, &images, found),
        None => Ok(None),
    }
}

/// The model's training images, in its size.
fn images(model: &ZooModel, files: &[PathBuf]) -> Result<ImageSet, Failure> {
    let name = model.name();
    let side = model.card().img_resolution().ok_or_else(|| {
        format!("{name}: its card has no `configuration.img_resolution`, the size of its images")
    })?;
    let sets = files.iter().map(|file| {
        let images = ImageSet::open_packed(file)?;
        // The base model's are half as large as they were drawn.
        match images.side() == side {
            true => Ok(images),
            false => images.reduced(side),
        }
    });
    Ok(ImageSet::concat(sets.collect::<Result<_, _>>()?)?)
}

fn print(measured: &[Measured]) {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|measured| {
            let quality = &measured.quality;
            vec![
                measured.model.clone(),
                number(quality.frechet_distance, 3),
                number(quality.diversity_samples, 4),
                number(quality.diversity_real, 4),
                number(quality.diversity_ratio, 3),
                format!("{:.0}", measured.seconds),
            ]
        })
        .collect();
    table::print(
        &[
            "model",
            "Fréchet distance",
            "diversity",
            "of real images",
            "ratio",
            "seconds",
        ],
        &rows,
    );
}
