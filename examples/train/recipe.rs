use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use vision_aided_finetune::{ImageSet, Trainer, freeze_discriminator_layers};

use crate::Failure;
use crate::cli::weights::Weights;
use crate::options::Options;

/// The model of all styles, which those of single styles start from.
const BASE: &str = "base";
/// What a run without arguments trains.
const DEMONSTRATION: &str = "funEmoji";

/// Thousands of images of a run.
const BASE_KIMG: f64 = 1500.0;
const STYLE_KIMG: f64 = 400.0;
const DEMONSTRATION_KIMG: f64 = 8.0;

/// What a run trains on, what it starts from, and where it is kept.
#[derive(Debug)]
pub struct Recipe {
    pub name: String,
    pub weights: Weights,
    pub out: PathBuf,
    pub kimg: f64,
    image_paths: Vec<PathBuf>,
    generator: Option<PathBuf>,
    discriminator: Option<PathBuf>,
}

impl Recipe {
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let weights = Weights::open(options.common.weights.as_deref())?;
        let data = weights.zoo().join("data");
        let is_demonstration = options.zoo.is_none() && options.images.is_empty();
        let style = options
            .zoo
            .as_deref()
            .or(is_demonstration.then_some(DEMONSTRATION));
        let (name, image_paths, kimg) = match style {
            Some(BASE) => (BASE.to_owned(), all_styles(&data)?, BASE_KIMG),
            Some(style) => {
                let path = data.join(format!("{style}.training.safetensors"));
                if !path.exists() {
                    return Err(missing(&path).into());
                }
                let kimg = if is_demonstration {
                    DEMONSTRATION_KIMG
                } else {
                    STYLE_KIMG
                };
                (style.to_owned(), vec![path], kimg)
            }
            None => {
                let last = options.images[0].file_stem().unwrap_or_default();
                let name = last.to_string_lossy().into_owned();
                (name, options.images.clone(), STYLE_KIMG)
            }
        };
        // A style starts from the base model where there is one.
        let base = |file: &str| {
            let path = weights.zoo().join(BASE).join(file);
            (style.is_some_and(|style| style != BASE) && path.exists()).then_some(path)
        };
        Ok(Self {
            out: options
                .out
                .clone()
                .unwrap_or_else(|| Path::new("out/train").join(&name)),
            kimg: options.kimg.unwrap_or(kimg),
            generator: options
                .generator
                .clone()
                .or_else(|| base("generator.safetensors")),
            discriminator: options
                .discriminator
                .clone()
                .or_else(|| base("discriminator.safetensors")),
            name,
            weights,
            image_paths,
        })
    }

    /// The checkpoint of the run.
    pub fn checkpoint(&self) -> PathBuf {
        self.out.join("training.safetensors")
    }

    /// A new run, or the one in the folder.
    pub fn trainer(&self, options: &Options, device: &Device) -> Result<Trainer, Failure> {
        if options.resume {
            // Another side than the checkpoint's would be refused, so it is taken from there.
            let side = Generator::load(self.checkpoint(), device)?
                .config()
                .img_resolution;
            return Ok(Trainer::resume(
                self.checkpoint(),
                self.images(side)?,
                device,
            )?);
        }
        if self.checkpoint().exists() {
            return Err(format!(
                "{} holds a run already; continue it with --resume, or choose another --out",
                self.out.display()
            )
            .into());
        }
        let generator = match &self.generator {
            Some(path) => Generator::load(path, device)?,
            None => Generator::init(&generator_config(options.resolution)?, 0, device)?,
        };
        let discriminator = match &self.discriminator {
            Some(path) => Discriminator::load(path, device)?,
            None => {
                let side = generator.config().img_resolution;
                Discriminator::init(&discriminator_config(side)?, 1, device)?
            }
        };
        let discriminator = match options.freeze_layers {
            0 => discriminator,
            layers => freeze_discriminator_layers(&discriminator, layers, device)?,
        };
        let images = self.images(generator.config().img_resolution)?;
        let config = options.training_config();
        Ok(Trainer::new(
            config,
            generator,
            None,
            discriminator,
            images,
            device,
        )?)
    }

    /// What the weights of a new run start from.
    pub fn start(&self) -> String {
        match &self.generator {
            Some(path) if path.starts_with(self.weights.zoo()) => format!("the zoo's model {BASE}"),
            Some(path) => path.display().to_string(),
            None => "random weights".to_owned(),
        }
    }

    fn images(&self, side: usize) -> Result<Arc<ImageSet>, Failure> {
        let sets = self
            .image_paths
            .iter()
            .map(|path| ImageSet::open(path, side))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(ImageSet::concat(sets)?))
    }
}

fn all_styles(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let Ok(entries) = std::fs::read_dir(data) else {
        return Err(missing(data).into());
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".training.safetensors") {
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

/// The zoo's generator: 64x64 pixels in a third of a million parameters.
fn generator_config(side: usize) -> Result<GeneratorConfig, Failure> {
    Ok(GeneratorConfig::from_json(&format!(
        r#"{{"z_dim": 64, "c_dim": 0, "w_dim": 64, "img_resolution": {side}, "img_channels": 3,
            "mapping_kwargs": {{"num_layers": 2}}, "synthesis_kwargs": {{"channel_base": 1024, "channel_max": 64}}}}"#
    ))?)
}

fn discriminator_config(side: usize) -> Result<DiscriminatorConfig, Failure> {
    Ok(DiscriminatorConfig::from_json(&format!(
        r#"{{"c_dim": 0, "img_resolution": {side}, "img_channels": 3, "channel_base": 1024, "channel_max": 64}}"#
    ))?)
}
