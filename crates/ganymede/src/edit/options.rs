use std::path::{Path, PathBuf};
use std::str::FromStr;

use ganspace::{Basis, LayerRange};
use serde::{Deserialize, Serialize};

use super::bases::Space;
use super::region::{Channel, Region, RegionColor};
use crate::features::FeatureOptions;
use crate::invert::Settings;
use crate::latents::LatentSource;
use crate::{DEFAULT_MODEL, Error};

/// What is edited, along what, and what is found out about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip), command(group(clap::ArgGroup::new("moved").args(["direction", "mixture"]))))]
pub struct Options {
    /// A model of the zoo, or a generator file
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().model))]
    pub model: String,
    /// Latents to edit: seeds, or files that `invert` wrote (.safetensors) [default: seeds 0 to 3, where there is no
    /// --image]
    #[cfg_attr(feature = "clap", arg(long, value_name = "LATENT", num_args = 1..))]
    pub latent: Vec<LatentSource>,
    /// Images to invert and edit
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", num_args = 1..))]
    pub image: Vec<PathBuf>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// The component to move along, counted from 0 [default: 0]
    #[cfg_attr(feature = "clap", arg(long, value_name = "K"))]
    pub direction: Option<usize>,
    /// The layers to move along --direction or all components, such as 4-7, both included and counted from 0
    #[cfg_attr(feature = "clap", arg(long, value_name = "A-B", default_value_t = Options::default().layers))]
    pub layers: LayerRange,
    /// Strengths in standard deviations, a picture for each [default: -3 to 3, or a named edit's range]
    #[cfg_attr(feature = "clap", arg(long, value_name = "S", num_args = 1.., allow_negative_numbers = true))]
    pub strength: Vec<f64>,
    /// Named edits: NAME shows its range, NAME=S applies it with that strength to every picture
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME[=S]", num_args = 1..))]
    pub edit: Vec<EditRequest>,
    /// File of named edits (TOML) [default: edits.toml beside the model]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub edits: Option<PathBuf>,
    /// Move along the mixture of components that moves the color of --region for as little else as possible
    #[cfg_attr(feature = "clap", arg(long, requires = "region", conflicts_with_all = ["direction", "edit", "discover", "attribute"]))]
    pub mixture: bool,
    /// Save the direction or mixture with its layers and strengths, the first to the last, as this named edit
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME", requires = "moved", conflicts_with_all = ["edit", "discover"]))]
    pub save: Option<String>,
    /// What a saved edit does, in words
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "TEXT", requires = "save", default_value_t)
    )]
    pub description: String,
    /// List all components, and show each on the first latent
    #[cfg_attr(feature = "clap", arg(long, conflicts_with_all = ["edit", "direction", "attribute"]))]
    pub discover: bool,
    /// Rank all components by an attribute, or measure the one of --direction or --edit. Either lines `+ image` and
    /// `- image` with and without it (files, folders or archives), or lines `SEED SCORE`; paths are relative to the
    /// file
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub attribute: Option<PathBuf>,
    /// As --attribute, for the color of a part of the picture, in fractions of its sides from the upper left corner
    #[cfg_attr(feature = "clap", arg(long, value_name = "LEFT,TOP,RIGHT,BOTTOM", conflicts_with_all = ["attribute", "discover"]))]
    pub region: Option<Region>,
    /// What of the color of --region
    #[cfg_attr(
        feature = "clap",
        arg(long, value_enum, requires = "region", default_value_t)
    )]
    pub channel: Channel,
    /// Latents that edits are tried on for --discover and --attribute: seeds from --seed on
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().trials, value_parser = clap::value_parser!(u16).range(2..)))]
    pub trials: u16,
    /// Random directions to compare with
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().random, value_parser = clap::value_parser!(u16).range(1..)))]
    pub random: u16,
    /// What the components are of: `w`, or the activations of a block such as `b16`, regressed to w
    #[cfg_attr(feature = "clap", arg(long, value_name = "w|bN", default_value_t = Options::default().basis))]
    pub basis: Space,
    /// Number of components [default: 20, or as many as w has dimensions]
    #[cfg_attr(feature = "clap", arg(long, value_parser = clap::value_parser!(u16).range(1..)))]
    pub components: Option<u16>,
    /// Latents sampled for the components [default: 10000 for w, 1000 for activations]
    #[cfg_attr(feature = "clap", arg(long, value_parser = clap::value_parser!(u32).range(2..)))]
    pub samples: Option<u32>,
    /// Truncation of seeds: 1 leaves latents as they are, smaller values pull them to the mean
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().truncation_psi, allow_negative_numbers = true))]
    pub truncation_psi: f32,
    /// Class of a conditional model's seeds, counted from 0
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// What images with and without an attribute are told apart by.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub features: FeatureOptions,
    /// How images are inverted; its `batch` is also that of edited images.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures; those of an earlier run with the same names are replaced. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            latent: Vec::new(),
            image: Vec::new(),
            skip_bad: false,
            direction: None,
            mixture: false,
            layers: LayerRange::ALL,
            strength: Vec::new(),
            edit: Vec::new(),
            edits: None,
            save: None,
            description: String::new(),
            discover: false,
            attribute: None,
            region: None,
            channel: Channel::default(),
            trials: 16,
            random: 16,
            basis: Space::W,
            components: None,
            samples: None,
            truncation_psi: 1.0,
            class: None,
            features: FeatureOptions::default(),
            inversion: Settings::default(),
            seed: 0,
            out: None,
        }
    }
}

/// Strengths of a strip where nothing else is said.
const STRENGTHS: [f64; 7] = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
const SEEDS: std::ops::Range<u32> = 0..4;

impl Options {
    /// Whether the values make sense together, as far as that can be said before the model is known.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not; also as [`Settings::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        let least = [
            ("trials", usize::from(self.trials), 2),
            ("random", usize::from(self.random), 1),
            ("components", self.components.map_or(1, usize::from), 1),
            (
                "samples",
                self.samples.map_or(2, |samples| samples as usize),
                2,
            ),
        ];
        for (option, found, least) in least {
            if found < least {
                return Err(Error::option(
                    option,
                    found,
                    format!("expected at least {least}"),
                ));
            }
        }
        let named = !self.edit.is_empty();
        if let Some(name) = &self.save
            && ((self.direction.is_none() && !self.mixture) || named || self.discover)
        {
            return Err(Error::option(
                "save",
                name,
                "what is saved is a direction or a mixture; choose one, and neither a named edit nor all components",
            ));
        }
        if self.mixture
            && (self.region.is_none() || self.direction.is_some() || named || self.discover)
        {
            return Err(Error::option(
                "mixture",
                "",
                "it is one of all components, for the color of a region; choose a region, and neither a direction nor a named edit",
            ));
        }
        if self.discover && (named || self.direction.is_some() || self.attribute().is_some()) {
            return Err(Error::option(
                "discover",
                "",
                "it lists all components; leave out edit, direction, attribute and region",
            ));
        }
        if let (Some(region), Some(_)) = (self.region, &self.attribute) {
            return Err(Error::option(
                "region",
                region,
                "an attribute is a file or a region; leave out one of them",
            ));
        }
        self.inversion.validate()
    }

    /// What is edited: latents and images, or four seeds where there is neither.
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
            AttributeSource::Region(RegionColor {
                channel: self.channel,
                region,
            })
        });
        region.or(self.attribute.as_deref().map(AttributeSource::File))
    }

    /// Whether all components are listed or ranked, rather than one edit shown.
    pub fn ranks_all(&self) -> bool {
        let of_attribute = self.attribute().is_some()
            && self.direction.is_none()
            && self.edit.is_empty()
            && !self.mixture;
        self.discover || of_attribute
    }

    /// The components that `direction` counts, where `w` has so many dimensions.
    pub fn basis(&self, w_dim: usize) -> Basis {
        let usual = self.basis.usual_basis(w_dim, self.seed);
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
    /// The color of a part of the picture.
    Region(RegionColor),
}

impl AttributeSource<'_> {
    /// That it cannot be used.
    pub(super) fn refused(&self, problem: &str) -> Error {
        match self {
            Self::File(file) => Error::option("attribute", file.display(), problem),
            Self::Region(color) => Error::option("region", color.region, problem),
        }
    }
}

/// A named edit, with its strength where that is fixed, written as `NAME` or `NAME=1.5`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EditRequest {
    /// Its name in the file of named edits.
    pub name: String,
    /// In standard deviations.
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

impl TryFrom<String> for EditRequest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EditRequest> for String {
    fn from(request: EditRequest) -> Self {
        match request.strength {
            Some(strength) => format!("{}={strength}", request.name),
            None => request.name,
        }
    }
}
