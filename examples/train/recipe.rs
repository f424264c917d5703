use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use stylegan2::{Generator, GeneratorConfig};
use vision_aided_finetune::{ImageSet, Trainer, freeze_discriminator_layers};

use crate::cli::weights::{BASE, Weights};
use crate::options::Options;
use crate::provenance::{Change, DataFile, Provenance};
use crate::run_folder::RunFolder;
use crate::training::start::{Networks, generator_file, name_of};
use crate::{Failure, credits, vision_networks};

/// What a run without arguments trains.
const DEMONSTRATION: &str = "funEmoji";

/// Thousands of images of a run.
const BASE_KIMG: f64 = 400.0;
const STYLE_KIMG: f64 = 90.0;
const DEMONSTRATION_KIMG: f64 = 8.0;

/// Where the images of a style lie in `weights/zoo/data`.
pub const TRAINING_IMAGES: &str = ".training.safetensors";

/// What a run trains on, what it starts from, and where it is kept.
#[derive(Debug)]
pub struct Recipe {
    pub name: String,
    /// A run on images of one's own needs none.
    pub weights: Option<Weights>,
    pub out: PathBuf,
    pub kimg: f64,
    /// Length of the run where none is asked for.
    pub default_kimg: f64,
    image_paths: Vec<PathBuf>,
    /// As against images of one's own.
    is_style: bool,
    generator: Option<PathBuf>,
}

impl Recipe {
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let weights = Weights::open(options.common.weights.as_deref());
        let is_demonstration = options.zoo.is_none() && options.images.is_empty();
        let style = options
            .zoo
            .as_deref()
            .or(is_demonstration.then_some(DEMONSTRATION));
        let (name, weights, image_paths, default_kimg) = match style {
            Some(style) => {
                let weights = weights?;
                let paths = images_of(style, &weights)?;
                let kimg = match style {
                    BASE => BASE_KIMG,
                    _ if is_demonstration => DEMONSTRATION_KIMG,
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
        let generator = match &options.generator {
            Some(which) => Some(generator_file("--generator", which, weights.as_ref())?),
            // A style starts from the base model where there is one.
            None => weights
                .as_ref()
                .filter(|_| style.is_some_and(|style| style != BASE))
                .map(|weights| weights.generator(BASE))
                .filter(|path| path.is_file()),
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
        })
    }

    /// A new run, or the one in the folder.
    pub fn trainer(
        &self,
        options: &Options,
        folder: &RunFolder,
        device: &Device,
    ) -> Result<Trainer, Failure> {
        let checkpoint = folder.checkpoint();
        if options.resume {
            return self.resumed(options, &checkpoint, device);
        }
        if checkpoint.exists() {
            return Err(format!(
                "{} holds a run already; continue it with --resume, or choose another --out",
                folder.path().display()
            )
            .into());
        }
        self.started(options, device)
    }

    fn resumed(
        &self,
        options: &Options,
        checkpoint: &Path,
        device: &Device,
    ) -> Result<Trainer, Failure> {
        // Another side than the checkpoint's would be refused, so it is taken from there.
        let side = Trainer::image_side(checkpoint)?;
        let images = ImageSet::concat(self.images(side)?)?;
        let backbones = vision_networks::of_run(checkpoint, self.weights.as_ref(), device)?;
        let mut trainer = Trainer::resume(checkpoint, Arc::new(images), &backbones, device)?;
        let config = options.resumed_config(trainer.config())?;
        if config != *trainer.config() {
            trainer.set_config(config)?;
            if let Some(mut provenance) = Provenance::of(&trainer)? {
                provenance.changes.push(Change {
                    kimg: trainer.images_shown() as f64 / 1000.0,
                    options: options.changed(),
                });
                provenance.keep(&mut trainer)?;
            }
        }
        Ok(trainer)
    }

    fn started(&self, options: &Options, device: &Device) -> Result<Trainer, Failure> {
        let weights = self.weights.as_ref();
        let mut config = options.training_config(self.generator.is_some());
        config.progressive = options.stages(self.is_style && self.generator.is_none());
        let seeds = config.initial_weight_seeds();
        let chosen = options.discriminator.as_deref();
        let networks = match &self.generator {
            Some(path) => Networks::open(path, chosen, seeds, weights, device)?,
            None => {
                let first = config.progressive.first();
                let side = first.map_or(options.resolution, |stage| stage.resolution);
                let generator = Generator::init(&generator_config(side)?, seeds[0], device)?;
                Networks::random(generator, chosen, seeds, weights, device)?
            }
        };
        let side = networks.generator.config().img_resolution;
        if self.generator.is_some() && options.resolution_is_given() && side != options.resolution {
            return Err(format!(
                "--resolution is {}, but the generator that the run starts from makes images of {side}x{side}; leave it out",
                options.resolution
            )
            .into());
        }
        // Also for 0: the file's discriminator may have frozen layers.
        let discriminator =
            freeze_discriminator_layers(&networks.discriminator, options.freeze_layers, device)?;
        // In a stage of progressive growing the networks have a lower resolution than the images.
        let in_stage = config
            .progressive
            .iter()
            .any(|stage| stage.resolution == side);
        let sets = self.images(if in_stage { options.resolution } else { side })?;
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
            let side = options.vision_aided_input;
            trainer.add_vision_aided(network.load(side, weights, device)?);
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

    fn images(&self, side: usize) -> Result<Vec<ImageSet>, Failure> {
        let sets = self.image_paths.iter();
        Ok(sets
            .map(|path| ImageSet::open(path, side))
            .collect::<Result<_, _>>()?)
    }
}

/// The training images of a style of the zoo, or of all for the base model.
fn images_of(style: &str, weights: &Weights) -> Result<Vec<PathBuf>, Failure> {
    let data = weights.zoo().join("data");
    if style == BASE {
        return all_styles(&data);
    }
    let known = credits::read(weights)?;
    if !known.contains_key(style) {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(format!(
            "--zoo {style}: no style of the zoo; known names: {BASE}, {}",
            known.join(", ")
        )
        .into());
    }
    let path = data.join(format!("{style}{TRAINING_IMAGES}"));
    if path.exists() {
        Ok(vec![path])
    } else {
        Err(missing(&path).into())
    }
}

fn all_styles(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(data).map_err(|_| missing(data))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|e| format!("{}: {e}", data.display()))?
            .path();
        if path.to_string_lossy().ends_with(TRAINING_IMAGES) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(missing(data).into());
    }
    Ok(paths)
}

fn missing(path: &Path) -> String {
    format!(
        "{} is missing; draw the images of the zoo with `npm ci && node render.js` in weights/zoo/render",
        path.display()
    )
}

/// The zoo's generator: 275,144 parameters at 64x64 pixels.
fn generator_config(side: usize) -> Result<GeneratorConfig, Failure> {
    Ok(GeneratorConfig::from_json(&format!(
        r#"{{"z_dim": 64, "c_dim": 0, "w_dim": 64, "img_resolution": {side}, "img_channels": 3,
            "mapping_kwargs": {{"num_layers": 2}}, "synthesis_kwargs": {{"channel_base": 1024, "channel_max": 64}}}}"#
    ))?)
}
