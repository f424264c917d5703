//! Command line.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Parser;
use ganspace::{Basis, LayerRange};

use crate::region::{Channel, Region, RegionColour};
use examples::CommonArgs;
use examples::bases::Space;
use examples::image_sets::BadImageArgs;
use examples::inversion_args::InversionArgs;
use examples::latents::LatentSource;
use ganymede::DEFAULT_MODEL;
use ganymede::features::FeatureOptions;

/// Edit images of a StyleGAN2 model along the principal directions of its latents
///
/// Without further options it shows what component 0 does to four seeds. --discover shows all components, --attribute ranks them by what they do to an attribute, --save
/// gives one a name, --edit uses it. Every strip's numbers stand beside those of steps of the same length in random directions.
#[derive(Parser, Debug)]
#[command(name = "edit")]
pub struct Options {
    /// A model of the zoo, or a generator file
    #[arg(long, default_value = DEFAULT_MODEL)]
    pub model: String,
    /// Latents to edit: seeds, or files that `invert` wrote (.safetensors) [default: seeds 0 to 3, where there is no --image]
    #[arg(long, value_name = "LATENT", num_args = 1..)]
    latent: Vec<LatentSource>,
    /// Images to invert and edit
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    #[command(flatten)]
    pub bad_images: BadImageArgs,
    /// The component to move along, counted from 0 [default: 0]
    #[arg(long, value_name = "K")]
    pub direction: Option<usize>,
    /// The layers to move along --direction or all components, such as 4-7, both included and counted from 0
    #[arg(long, value_name = "A-B", default_value = "all")]
    pub layers: LayerRange,
    /// Strengths in standard deviations, a picture for each [default: -3 to 3, or a named edit's range]
    #[arg(long, value_name = "S", num_args = 1.., allow_negative_numbers = true)]
    pub strength: Vec<f64>,
    /// Named edits: NAME shows its range, NAME=S applies it with that strength to every picture
    #[arg(long, value_name = "NAME[=S]", num_args = 1..)]
    pub edit: Vec<EditRequest>,
    /// File of named edits (TOML) [default: edits.toml beside the model]
    #[arg(long, value_name = "FILE")]
    pub edits: Option<PathBuf>,
    /// Save the direction with its layers and strengths, the first to the last, as this named edit
    #[arg(long, value_name = "NAME", requires = "direction", conflicts_with_all = ["edit", "discover"])]
    pub save: Option<String>,
    /// What a saved edit does, in words
    #[arg(long, value_name = "TEXT", requires = "save", default_value = "")]
    pub description: String,
    /// List all components, and show each on the first latent
    #[arg(long, conflicts_with_all = ["edit", "direction", "attribute"])]
    pub discover: bool,
    /// Rank all components by an attribute, or measure the one of --direction or --edit. Either lines `+ image` and `- image` with and without it (files, folders or archives), or
    /// lines `SEED SCORE`; paths are relative to the file
    #[arg(long, value_name = "FILE")]
    attribute: Option<PathBuf>,
    /// As --attribute, for the colour of a part of the picture, in fractions of its sides from the upper left corner
    #[arg(long, value_name = "LEFT,TOP,RIGHT,BOTTOM", conflicts_with_all = ["attribute", "discover"])]
    region: Option<Region>,
    /// What of the colour of --region
    #[arg(long, value_enum, requires = "region", default_value_t = Channel::Luminance)]
    channel: Channel,
    /// Write a gallery of all named edits of the zoo's models into this Markdown file, between its marks for edits, and the pictures beside it: each edit's
    /// strip on held-out images, and what it moves
    #[arg(long, value_name = "FILE.md", conflicts_with_all = ["model", "edit", "edits", "direction", "discover", "attribute", "region", "latent", "image", "save"])]
    pub gallery: Option<PathBuf>,
    /// Held-out images of each model that --gallery shows
    #[arg(long, value_name = "N", default_value_t = 2, requires = "gallery", value_parser = clap::value_parser!(u16).range(1..))]
    pub gallery_images: u16,
    /// Held-out images of each model that --gallery measures: those that follow the ones it shows, or these where there are no more
    #[arg(long, value_name = "N", default_value_t = 5, requires = "gallery")]
    pub gallery_measured: u16,
    /// Latents that edits are tried on for --discover and --attribute: seeds from --seed on
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..))]
    pub trials: u16,
    /// Random directions to compare with
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub random: u16,
    /// What the components are of: `w`, or the activations of a block such as `b16`, regressed to w
    #[arg(long = "basis", value_name = "w|bN", default_value = "w")]
    basis_space: Space,
    /// Number of components [default: 20, or as many as w has dimensions]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    components: Option<u16>,
    /// Latents sampled for the components [default: 10000 for w, 1000 for activations]
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    samples: Option<u32>,
    /// Truncation of seeds: 1 leaves latents as they are, smaller values pull them to the mean
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub truncation_psi: f32,
    /// Class of a conditional model's seeds, counted from 0
    #[arg(long)]
    pub class: Option<usize>,
    /// Folder for the pictures; those of an earlier run with the same names are replaced
    #[arg(long, default_value = "out/edit", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub features: FeatureOptions,
    #[command(flatten)]
    pub inversion: InversionArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Strengths of a strip where nothing else is said.
const STRENGTHS: [f64; 7] = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
const SEEDS: std::ops::Range<u32> = 0..4;

impl Options {
    /// What is edited.
    pub fn sources(&self) -> Vec<LatentSource> {
        let images = self.image.iter().cloned().map(LatentSource::Image);
        let sources: Vec<LatentSource> = self.latent.iter().cloned().chain(images).collect();
        if sources.is_empty() {
            SEEDS.map(LatentSource::Seed).collect()
        } else {
            sources
        }
    }

    /// What components or edits are ranked by, where that was asked for.
    pub fn attribute(&self) -> Option<AttributeSource<'_>> {
        let region = self.region.map(|region| {
            AttributeSource::Region(RegionColour {
                channel: self.channel,
                region,
            })
        });
        region.or(self.attribute.as_deref().map(AttributeSource::File))
    }

    /// The components that --direction counts.
    pub fn basis(&self, w_dim: usize) -> Basis {
        let usual = self.basis_space.usual_basis(w_dim, self.common.seed);
        Basis {
            samples: self.samples.unwrap_or(usual.samples),
            components: self.components.map_or(usual.components, usize::from),
            ..usual
        }
    }

    /// Strengths that were asked for, or the usual ones.
    pub fn strengths(&self) -> Vec<f64> {
        if self.strength.is_empty() {
            STRENGTHS.to_vec()
        } else {
            self.strength.clone()
        }
    }
}

/// Where an attribute's scores come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeSource<'a> {
    /// Images or scores of seeds.
    File(&'a Path),
    Region(RegionColour),
}

impl fmt::Display for AttributeSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "--attribute {}", file.display()),
            Self::Region(colour) => {
                write!(f, "--region {} --channel {}", colour.region, colour.channel)
            }
        }
    }
}

/// A named edit, with its strength where that is fixed.
#[derive(Clone, Debug, PartialEq)]
pub struct EditRequest {
    pub name: String,
    pub strength: Option<f64>,
}

impl FromStr for EditRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((name, strength)) = text.rsplit_once('=') else {
            return Ok(Self {
                name: text.to_owned(),
                strength: None,
            });
        };
        match strength.parse::<f64>() {
            Ok(strength) if strength.is_finite() => Ok(Self {
                name: name.to_owned(),
                strength: Some(strength),
            }),
            _ => Err(format!(
                "{strength:?} is no strength; write NAME or NAME=1.5"
            )),
        }
    }
}
