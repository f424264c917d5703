use std::path::PathBuf;

use model_zoo::{Quality, Zoo, ZooModel};
use serde::{Deserialize, Serialize};
use vision_aided_finetune::ImageSet;
use web_time::Instant;

use crate::quality::{FRECHET_IMAGES, Gates, QualityMeter, compared, warn_of_collapse};
use crate::{BASE, Context, Error, Observer, Warning, training_images};

/// Which models, and by how many images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Names of the models [default: all but `base`]
    pub names: Vec<String>,
    /// Leave out models whose cards have a Fréchet distance
    #[cfg_attr(feature = "clap", arg(long))]
    pub missing: bool,
    /// Samples, and the most training images, that the Fréchet distance is measured with
    #[cfg_attr(feature = "clap", arg(long, value_name = "N", default_value_t = Options::default().frechet_images, value_parser = clap::value_parser!(u32).range(2..)))]
    pub frechet_images: u32,
    /// Folder with NAME.training.safetensors for each model [default: zoo/data in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub data: Option<PathBuf>,
    /// Where statistics are kept while they are made, to go on from
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR", default_value_os_t = Options::default().moments))]
    pub moments: PathBuf,
    /// Leave out models that cannot be measured, and say which
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Folder of models [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            missing: false,
            frechet_images: FRECHET_IMAGES,
            data: None,
            moments: PathBuf::from("out/zoo"),
            skip_bad: false,
            zoo: None,
        }
    }
}

impl Options {
    /// Whether the values can be used.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that cannot.
    pub fn validate(&self) -> Result<(), Error> {
        match self.frechet_images {
            0 | 1 => Err(Error::option(
                "frechet_images",
                self.frechet_images,
                "expected at least 2",
            )),
            _ => Ok(()),
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// In the order of the names.
    pub models: Vec<Measured>,
    /// The model at which the observer ended the job; the same options go on from there.
    #[serde(skip)]
    pub cancelled_at: Option<String>,
}

/// A model whose card was written.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// Its name.
    pub model: String,
    /// How long it took.
    pub seconds: f64,
    /// What its card says now.
    #[serde(flatten)]
    pub quality: Quality,
}

/// Measures models and writes the numbers into their cards; everything else in a card stays as it is. Each card is
/// written when its model is done.
///
/// The Fréchet distance of EfficientNet-lite0 features between samples and training images, the diversity of samples
/// beside that of training images, precision, recall, density and coverage in the features of two networks, and the
/// inversion of held-out images.
///
/// # Errors
///
/// There is no such zoo or model, training images are missing, or a file cannot be read or written; of a single model
/// only without `skip_bad`.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let weights = context.weights()?;
    let zoo = Zoo::open(options.zoo.clone().unwrap_or_else(|| weights.zoo()))?;
    let device = context.device();
    let mut models: Vec<ZooModel> = if options.names.is_empty() {
        let all = zoo.models().iter();
        all.filter(|model| model.name() != BASE).cloned().collect()
    } else {
        let names = options.names.iter();
        names
            .map(|name| Ok(zoo.model(name)?.clone()))
            .collect::<Result<_, Error>>()?
    };
    if options.missing {
        models.retain(|model| {
            let quality = model.card().quality.as_ref();
            quality.is_none_or(|quality| {
                quality.frechet_distance.is_none() || quality.features.is_empty()
            })
        });
    }
    let data = options
        .data
        .clone()
        .unwrap_or_else(|| training_images::folder(&weights));
    // Before hours of work, so that a missing file does not end it.
    let mut work = Vec::with_capacity(models.len());
    for model in models {
        match training_images::files(model.name(), &data) {
            Ok(files) => work.push((model, files)),
            Err(reason) => leave_out(options, model.name(), reason, observer)?,
        }
    }
    let meter = QualityMeter::new(&weights, options.frechet_images, &options.moments, device)?;
    let gates = Gates::new(
        &weights,
        compared(options.frechet_images),
        &options.moments,
        device,
    )?;
    let mut measured = Vec::new();
    for (mut model, files) in work {
        let started = Instant::now();
        let name = model.name().to_owned();
        let found = match quality_of(&model, &files, &meter, &gates, observer) {
            Ok(found) => found,
            Err(Error::Cancelled) => {
                return Ok(Outcome {
                    models: measured,
                    cancelled_at: Some(name),
                });
            }
            Err(reason) => {
                leave_out(options, &name, reason, observer)?;
                continue;
            }
        };
        let further = model.card().quality.clone().unwrap_or_default().further;
        let quality = Quality { further, ..found };
        model.set_quality(quality.clone())?;
        warn_of_collapse(&name, &quality, observer);
        measured.push(Measured {
            model: name,
            seconds: started.elapsed().as_secs_f64(),
            quality,
        });
    }
    Ok(Outcome {
        models: measured,
        cancelled_at: None,
    })
}

/// Names a model that cannot be measured, where that is allowed.
fn leave_out(
    options: &Options,
    name: &str,
    reason: Error,
    observer: &mut dyn Observer,
) -> Result<(), Error> {
    if !options.skip_bad {
        return Err(reason);
    }
    observer.warn(&Warning::ModelLeftOut {
        model: name.to_owned(),
        reason: reason.to_string(),
    });
    Ok(())
}

/// Measures one model.
fn quality_of(
    model: &ZooModel,
    files: &[PathBuf],
    meter: &QualityMeter<'_>,
    gates: &Gates<'_>,
    observer: &mut dyn Observer,
) -> Result<Quality, Error> {
    let (name, file) = (model.name(), model.generator_path());
    let images = images(model, files)?;
    let found = meter.measure(name, &file, &images, observer)?;
    gates.measure(name, &file, &images, found, observer)
}

/// The model's training images, in its size.
fn images(model: &ZooModel, files: &[PathBuf]) -> Result<ImageSet, Error> {
    let side = model.card().img_resolution().ok_or_else(|| Error::Model {
        model: model.name().to_owned(),
        problem: "its card has no `configuration.img_resolution`, the size of its images"
            .to_owned(),
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
