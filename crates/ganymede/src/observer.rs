use std::ops::ControlFlow;
use std::path::PathBuf;

use image_source::{ImageSource, ImageSourceError, LeftOut};
use image_tensor::RgbImage;
use model_zoo::FeatureQuality;

use crate::Error;
use crate::index_record::Outdated;

/// Who wants to know how far a job is, and may end it: a terminal, a web page, a test.
///
/// All methods have a body that does nothing. `()` is the observer that never listens.
///
/// ```
/// use ganymede::{Context, Device, Observer, Phase, generate};
///
/// /// Ends a job after its first image.
/// #[derive(Default)]
/// struct First {
///     phases: Vec<String>,
///     images: u64,
/// }
///
/// impl Observer for First {
///     fn begin(&mut self, phase: &Phase<'_>) {
///         self.phases.push(phase.name.to_owned());
///     }
///     fn position(&mut self, done: u64) {
///         self.images = done;
///     }
///     fn cancelled(&self) -> bool {
///         self.images > 0
///     }
/// }
///
/// let mut first = First::default();
/// let options = generate::Options { batch: 1, ..generate::Options::default() };
/// let outcome = generate::run(&options, &Context::new(Device::flex()), &mut first)?;
/// assert!(outcome.cancelled);
/// assert_eq!(outcome.images.len(), 1);
/// assert_eq!(first.phases, ["images"]);
/// # Ok::<(), ganymede::Error>(())
/// ```
pub trait Observer {
    /// A phase of the work begins; the one before is over.
    fn begin(&mut self, _phase: &Phase<'_>) {}

    /// So many units of the phase's length are done.
    fn position(&mut self, _done: u64) {}

    /// So many units of the phase's length were done in an earlier call, which says nothing about the time that the
    /// rest takes.
    fn resume(&mut self, done: u64) {
        self.position(done);
    }

    /// What is known now, in place of what was given before.
    fn numbers(&mut self, _numbers: &[Number]) {}

    /// A picture of what there is.
    fn preview(&mut self, _preview: &Preview<'_>) {}

    /// Where points of the picture are now, each `[x, y]` in its pixels, in the order in which they were given.
    fn points(&mut self, _points: &[[f64; 2]]) {}

    /// Whether pictures are wanted that are made for nothing else, which costs time.
    fn wants_previews(&self) -> bool {
        false
    }

    /// Something that a long job has come to.
    fn milestone(&mut self, _milestone: &Milestone) {}

    /// Something that the result may suffer from.
    fn warn(&mut self, _warning: &Warning) {}

    /// The phase is over, and no other begins at once.
    fn end(&mut self) {}

    /// Whether the job is to end early. Asked between two pieces of work, which take seconds at most.
    fn cancelled(&self) -> bool {
        false
    }

    /// [`cancelled`](Self::cancelled) as the callbacks of the other crates answer.
    fn flow(&self) -> ControlFlow<()> {
        match self.cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// [`Error::Cancelled`] when the job is to end, for work that has nothing to give before it is done.
    ///
    /// # Errors
    ///
    /// No other.
    fn go_on(&self) -> Result<(), Error> {
        match self.cancelled() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }
}

impl Observer for () {}

/// A part of a job, with a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phase<'a> {
    /// What is done, such as `images`.
    pub name: &'a str,
    /// In units of the work: images, steps, samples.
    pub length: u64,
}

impl<'a> Phase<'a> {
    /// A phase of so many units.
    pub fn new(name: &'a str, length: usize) -> Self {
        Self {
            name,
            length: length as u64,
        }
    }
}

/// A value that changes while a job goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Number {
    /// What it is, such as `PSNR`.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Of the value, such as `dB`; empty for a pure number.
    pub unit: &'static str,
    /// Decimals worth showing.
    pub decimals: usize,
}

impl Number {
    /// A value with its unit, empty for none, and the decimals worth showing.
    pub fn new(name: &'static str, value: f64, unit: &'static str, decimals: usize) -> Self {
        Self {
            name,
            value,
            unit,
            decimals,
        }
    }
}

/// A picture on the way.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Preview<'a> {
    /// What it shows: unique within its job, and the same each time that a later picture takes its place.
    pub name: &'a str,
    /// The picture.
    pub image: &'a RgbImage,
}

impl<'a> Preview<'a> {
    /// A picture with its name.
    pub fn new(name: &'a str, image: &'a RgbImage) -> Self {
        Self { name, image }
    }
}

/// What a long job has come to. [`Display`](std::fmt::Display) says it in words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Milestone {
    /// Training begins, or goes on.
    #[error("training {name} from {start}: {images} images of {side}x{side}, kept in {folder}")]
    Training {
        /// What the run is called.
        name: String,
        /// What its generator started from.
        start: String,
        /// How many it is trained on.
        images: usize,
        /// Of the images, in pixels.
        side: usize,
        /// Where the run is kept.
        folder: PathBuf,
    },
    /// Training has its length, and the networks are written.
    #[error(
        "{kimg:.1} kimg: wrote generator.safetensors, discriminator.safetensors, samples and history to {folder}"
    )]
    Trained {
        /// Thousands of images that were shown.
        kimg: f64,
        /// Where the run is kept.
        folder: PathBuf,
    },
    /// Training was ended before; it can be resumed.
    #[error("stopped at {kimg:.1} kimg")]
    Stopped {
        /// Thousands of images that were shown.
        kimg: f64,
    },
    /// A style of the zoo has had its turn.
    #[error(
        "{style}: {kimg:.0} kimg more than {start_kimg:.0}, Fréchet {:.2}, precision {:.2}, recall {:.2}, density {:.2}, coverage {:.2}",
        measured.frechet_distance, measured.precision, measured.recall, measured.density, measured.coverage
    )]
    Turn {
        /// Its name.
        style: String,
        /// Thousands of images of its run.
        kimg: f64,
        /// Thousands of images that the model had seen that the run started from.
        start_kimg: f64,
        /// Samples among real images.
        measured: FeatureQuality,
    },
    /// The source of a fine-tuning run was ranked.
    #[error("source: {model}, ranked first of the zoo")]
    Source {
        /// Its name.
        model: String,
    },
    /// A fine-tuning run goes on from its best snapshot with further networks.
    #[error("{run}: stage {stage} adds {} to the snapshot of {kimg:.1} kimg", added.join(", "))]
    Stage {
        /// What the run is called.
        run: String,
        /// Counted from 1.
        stage: usize,
        /// Networks whose discriminators are added.
        added: Vec<String>,
        /// Thousands of images that the snapshot had been shown.
        kimg: f64,
    },
    /// A study knows what it has to invert.
    #[error(
        "{needed} inversions, of which {kept} are in {cache}{}",
        merged.map_or_else(String::new, |merged| format!(", {merged} of them merged"))
    )]
    Inversions {
        /// All of the study, or of its part.
        needed: usize,
        /// Those that the cache has.
        kept: usize,
        /// The folder of the cache.
        cache: PathBuf,
        /// Those that other caches had, where there are some.
        merged: Option<usize>,
    },
    /// A study takes up one of its runs.
    #[error("{number} of {runs}: {run}")]
    Run {
        /// Counted from 1.
        number: usize,
        /// How many this call has to do.
        runs: usize,
        /// What the run is called.
        run: String,
    },
}

/// What a result may suffer from. [`Display`](std::fmt::Display) says it in words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The index is not of the models that are in the zoo now.
    #[error("{0}")]
    IndexOutdated(Outdated),
    /// Latents may be of another model.
    #[error("{0}")]
    Latents(String),
    /// A model of which nothing can be said, where that is allowed.
    #[error("{model} is left out: {reason}")]
    ModelLeftOut {
        /// Its name.
        model: String,
        /// Why.
        reason: String,
    },
    /// An image was to be inverted with a model that there is not.
    #[error("rank {rank} is left out: the zoo has {models} models")]
    RankLeftOut {
        /// The rank that was asked for.
        rank: usize,
        /// Models that were ranked.
        models: usize,
    },
    /// The later components say more about the samples than about the model.
    #[error(
        "{samples} samples are too few for {components} components, of which the later ones say more about the samples than about the model; \
         take {wanted} or more"
    )]
    FewSamples {
        /// Latents that components were computed from.
        samples: u32,
        /// How many components.
        components: usize,
        /// Latents that so many components need.
        wanted: u32,
    },
    /// Files beside the images of a set that are none.
    #[error("{set}: left out {left_out}")]
    FilesLeftOut {
        /// What was opened.
        set: String,
        /// How many of each kind.
        left_out: LeftOut,
    },
    /// Styles that are not trained.
    #[error("left out, as their images are not drawn (npm ci && node render.js in weights/zoo/render): {}", styles.join(", "))]
    StylesLeftOut {
        /// Their names.
        styles: Vec<String>,
    },
    /// Samples and plot of a run could not be written.
    #[error("no snapshot: {reason}")]
    NoSnapshot {
        /// Why.
        reason: String,
    },
    /// A model was not published, as it was not measured.
    #[error("interrupted while the model was measured; nothing was published")]
    Unpublished,
    /// A model makes less than its data has.
    #[error(
        "the samples of {model} have {ratio:.2} of the diversity of their data, expected at least {least}; train on, or with augmentations"
    )]
    Collapsed {
        /// Its name.
        model: String,
        /// Diversity of its samples over that of its data.
        ratio: f64,
        /// What is expected.
        least: f64,
    },
    /// Nothing is known of a target but the few images that are trained on.
    #[error("{target}: distances are measured against the training images")]
    NoReference {
        /// Its name.
        target: String,
    },
    /// A rank beyond the models of a study.
    #[error("rank {rank} is left out: {models} models are ranked")]
    RankUnranked {
        /// The rank that was asked for.
        rank: usize,
        /// Models that are ranked.
        models: usize,
    },
    /// A set has fewer images than were asked for.
    #[error("{path}: {images} images of the {wanted} that were asked for")]
    FewImages {
        /// The file or folder.
        path: PathBuf,
        /// How many it has.
        images: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// An index has fewer models that can be compared than were asked for.
    #[error("{zoo}: {models} models of one architecture in the index, {wanted} were asked for")]
    FewModels {
        /// The folder of models.
        zoo: PathBuf,
        /// How many there are.
        models: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// A kept inversion cannot be read.
    #[error("{file}: {reason}; it is inverted again")]
    InvertedAgain {
        /// Its file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A conditional model's edits are not shown.
    #[error("{model}: it has classes, whose components differ, so that no edits are shown")]
    NoEdits {
        /// Its name.
        model: String,
    },
    /// A zoo has fewer models than the rank that was asked for.
    #[error(
        "{target}: rank {rank} is beyond the zoo's {models} models; its last, {model}, stands in"
    )]
    RankBeyond {
        /// What the models were ranked for.
        target: String,
        /// The rank that was asked for.
        rank: usize,
        /// Models that were ranked.
        models: usize,
        /// The last of them.
        model: String,
    },
    /// An image that cannot be read, where that is allowed.
    #[error("skipped {reason}")]
    ImageSkipped {
        /// Why; it names the image.
        reason: String,
    },
}

impl Warning {
    /// What was left out of a set and why images of it were skipped.
    pub fn of_images(source: &ImageSource, skipped: &[ImageSourceError]) -> Vec<Self> {
        let mut warnings = Vec::new();
        if !source.left_out().is_empty() {
            warnings.push(Self::FilesLeftOut {
                set: source.name(),
                left_out: *source.left_out(),
            });
        }
        warnings.extend(skipped.iter().map(|reason| Self::ImageSkipped {
            reason: reason.to_string(),
        }));
        warnings
    }
}
