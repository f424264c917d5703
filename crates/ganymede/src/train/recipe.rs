//! What a run trains on, what it starts from, and where it is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use stylegan2::Generator;
use vision_aided_finetune::vision_aided::VisionLevels;
use vision_aided_finetune::{ImageSet, ProgressiveStage, Trainer, freeze_discriminator_layers};

use super::{Options, credits};
use crate::runs::image_sets::training_sets;
use crate::runs::provenance::{Change, DataFile, Provenance, shown};
use crate::runs::run_folder::RunFolder;
use crate::runs::start::{Networks, generator_file, name_of};
use crate::runs::vision_networks;
use crate::{BASE, Context, Error, Observer, Weights, training_images};

/// What a run without arguments trains.
const DEMONSTRATION: &str = "funEmoji";

/// Thousands of images of a run.
const BASE_KIMG: f64 = 90.0;
const STYLE_KIMG: f64 = 90.0;
const STYLE_FROM_BASE_KIMG: f64 = 36.0;
const DEMONSTRATION_KIMG: f64 = 12.0;

/// The base stays at half the side of the images: styles differ in their lines, which is what larger networks would
/// learn.
const BASE_STAGES: [ProgressiveStage; 2] = [stage(16, 40.0), stage(32, BASE_KIMG)];
/// At a quarter of the side an avatar's parts find their places in minutes; most of the time goes into the last stage.
const STYLE_STAGES: [ProgressiveStage; 2] = [stage(16, 20.0), stage(32, 50.0)];
/// How long a style that starts from the base stays at the base's side.
const GROWING_KIMG: f64 = 8.0;

const fn stage(resolution: usize, kimg: f64) -> ProgressiveStage {
    ProgressiveStage { resolution, kimg }
}

/// What a run trains on, what it starts from, and where it is kept.
#[derive(Debug)]
pub struct Recipe {
    /// What the run is called: the style, or its images' file.
    pub name: String,
    /// A run on images of one's own needs none.
    pub weights: Option<Weights>,
    /// Where it is kept.
    pub out: PathBuf,
    /// Its length, in thousands of images.
    pub kimg: f64,
    /// Length of the run where none is asked for.
    pub default_kimg: f64,
    image_paths: Vec<PathBuf>,
    skip_bad: bool,
    /// As against images of one's own.
    is_style: bool,
    generator: Option<PathBuf>,
}

impl Recipe {
    /// Of options; the weights folder is only needed for styles of the zoo and named generators.
    ///
    /// # Errors
    ///
    /// There is no such style or generator, or a style's images are not drawn.
    pub fn new(options: &Options, context: &Context) -> Result<Self, Error> {
        options.validate()?;
        let weights = context.weights();
        let is_demonstration = options.zoo.is_none() && options.images.is_empty();
        let style = options
            .zoo
            .as_deref()
            .or(is_demonstration.then_some(DEMONSTRATION));
        let generator = match &options.generator {
            Some(which) => Some(generator_file("generator", which, weights.as_ref().ok())?),
            // A style starts from the base model where there is one.
            None => weights
                .as_ref()
                .ok()
                .filter(|_| style.is_some_and(|style| style != BASE))
                .map(|weights| weights.generator(BASE))
                .filter(|path| path.is_file()),
        };
        let (name, weights, image_paths, default_kimg) = match style {
            Some(style) => {
                let weights = weights?;
                let paths = images_of(style, &weights)?;
                let kimg = match style {
                    BASE => BASE_KIMG,
                    _ if is_demonstration => DEMONSTRATION_KIMG,
                    _ if generator.is_some() => STYLE_FROM_BASE_KIMG,
                    _ => STYLE_KIMG,
                };
                (style.to_owned(), Some(weights), paths, kimg)
            }
            None => (
                name_of(&options.images[0]),
                weights.ok(),
                options.images.clone(),
                STYLE_KIMG,
            ),
        };
        Ok(Self {
            out: options
                .out
                .clone()
                .unwrap_or_else(|| Path::new("out/train").join(&name)),
            kimg: options.kimg.unwrap_or(default_kimg),
            default_kimg,
            generator,
            name,
            is_style: style.is_some(),
            weights,
            image_paths,
            skip_bad: options.skip_bad,
        })
    }

    /// A new run, or the one in the folder.
    pub(super) fn trainer(
        &self,
        options: &Options,
        folder: &RunFolder,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Trainer, Error> {
        let checkpoint = folder.checkpoint();
        if options.resume {
            return self.resumed(options, &checkpoint, device, observer);
        }
        if checkpoint.exists() {
            return Err(Error::RunExists {
                folder: folder.path().to_owned(),
            });
        }
        self.started(options, device, observer)
    }

    fn resumed(
        &self,
        options: &Options,
        checkpoint: &Path,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Trainer, Error> {
        // Another side than the checkpoint's would be refused, so it is taken from there.
        let side = Trainer::image_side(checkpoint)?;
        let images = ImageSet::concat(self.images(side, observer)?)?;
        let backbones = vision_networks::of_run(checkpoint, self.weights.as_ref(), device)?;
        let mut trainer = Trainer::resume(checkpoint, Arc::new(images), &backbones, device)?;
        let provenance = Provenance::of(&trainer, checkpoint)?;
        let started = provenance.as_ref().map(|p| p.command.as_slice());
        let config = options.resumed_config(trainer.config(), started.unwrap_or_default())?;
        if config != *trainer.config() {
            trainer.set_config(config)?;
            if let Some(mut provenance) = provenance {
                provenance.changes.push(Change {
                    kimg: trainer.images_shown() as f64 / 1000.0,
                    options: options.changed(),
                });
                provenance.keep(&mut trainer)?;
            }
        }
        Ok(trainer)
    }

    fn started(
        &self,
        options: &Options,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Trainer, Error> {
        let resolution = options.resolution();
        let weights = self.weights.as_ref();
        let mut config = options.training_config(self.generator.is_some());
        config.progressive = options.stages(match (self.is_style, &self.generator) {
            (true, None) if self.name == BASE => &BASE_STAGES,
            (true, None) => &STYLE_STAGES,
            _ => &[],
        });
        let of_random_weights = [
            ("channel_base", options.channel_base),
            ("channel_max", options.channel_max),
        ];
        for (option, value) in of_random_weights {
            if let (Some(value), Some(path)) = (value, &self.generator) {
                return Err(Error::option(
                    option,
                    value,
                    format!(
                        "the run starts from {}, which has its own; leave it out",
                        shown(path, weights)
                    ),
                ));
            }
        }
        let seeds = config.initial_weight_seeds();
        let chosen = options.discriminator.as_deref();
        let networks = match &self.generator {
            Some(path) => Networks::open(path, chosen, seeds, weights, device)?,
            None => {
                let first = config.progressive.first();
                let side = first.map_or(resolution, |stage| stage.resolution);
                let generator = Generator::init(&options.generator_config(side), seeds[0], device)?;
                Networks::random(generator, chosen, seeds, weights, device)?
            }
        };
        let side = networks.generator.config().img_resolution;
        let starts_from_base =
            self.is_style && self.generator.is_some() && options.generator.is_none();
        if starts_from_base && side < resolution {
            config.progressive = options.stages(&[stage(side, GROWING_KIMG)]);
        }
        let in_stage = config
            .progressive
            .iter()
            .any(|stage| stage.resolution == side);
        if self.generator.is_some()
            && options.resolution.is_some()
            && side != resolution
            && !in_stage
        {
            return Err(Error::option(
                "resolution",
                resolution,
                format!(
                    "the generator that the run starts from makes images of {side}x{side}; leave it out"
                ),
            ));
        }
        // Also for 0: the file's discriminator may have frozen layers.
        let discriminator =
            freeze_discriminator_layers(&networks.discriminator, options.freeze_layers(), device)?;
        // In a stage of progressive growing the networks have a lower resolution than the images.
        let sets = self.images(if in_stage { resolution } else { side }, observer)?;
        let data = self
            .image_paths
            .iter()
            .zip(&sets)
            .map(|(path, set)| DataFile::new(path, set, weights))
            .collect();
        let images = Arc::new(ImageSet::concat(sets)?);
        let mut trainer = Trainer::new(
            config,
            networks.generator,
            networks.average,
            discriminator,
            images,
            device,
        )?;
        for network in &options.vision_aided {
            let side = options.vision_aided_input();
            let levels = VisionLevels::Published;
            trainer.add_vision_aided(network.load(side, levels, weights, device)?);
        }
        let provenance = Provenance {
            generator: networks.generator_start,
            discriminator: networks.discriminator_start,
            data,
            command: options.decisive(),
            changes: Vec::new(),
        };
        provenance.keep(&mut trainer)?;
        Ok(trainer)
    }

    fn images(&self, side: usize, observer: &mut dyn Observer) -> Result<Vec<ImageSet>, Error> {
        training_sets(&self.image_paths, side, self.skip_bad, observer)
    }
}

/// The training images of a style of the zoo, or of all for the base model.
fn images_of(style: &str, weights: &Weights) -> Result<Vec<PathBuf>, Error> {
    if style != BASE {
        let known = credits::read(weights)?;
        if !known.contains_key(style) {
            let known: Vec<&str> = known.keys().map(String::as_str).collect();
            return Err(Error::option(
                "zoo",
                style,
                format!(
                    "no style of the zoo; known names: {BASE}, {}",
                    known.join(", ")
                ),
            ));
        }
    }
    training_images::files(style, &training_images::folder(weights))
}
