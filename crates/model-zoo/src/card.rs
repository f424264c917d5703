use serde::{Deserialize, Serialize};
use stylegan2::GeneratorConfig;

use crate::Quality;

/// What `card.toml` says of a model: name and license at least. Tables that are not known here, such as whose art it
/// was trained on and how, are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Name of the model, and of its folder.
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// License of what the model generates, as an SPDX expression where there is one.
    #[serde(alias = "licence")]
    pub license: String,
    /// How good the model is, as measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// The generator's configuration, which must be the one in its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
    /// All further entries.
    #[serde(flatten)]
    pub further: toml::Table,
}

/// What a card says of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Image side.
    pub img_resolution: usize,
    /// Color channels.
    pub img_channels: usize,
    /// Features of the latent z.
    pub z_dim: usize,
    /// Features of the latent w.
    pub w_dim: usize,
    /// Features of the label.
    pub c_dim: usize,
    /// Layers of the mapping network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_layers: Option<usize>,
    /// Channels times resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_base: Option<usize>,
    /// Most channels of a layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_max: Option<usize>,
    /// Precision that the weights are stored in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
}

impl Card {
    /// A card with a name and a license and nothing else.
    pub fn new(name: impl Into<String>, license: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            license: license.into(),
            quality: None,
            configuration: None,
            further: toml::Table::new(),
        }
    }

    /// Image side, where the card says it.
    pub fn img_resolution(&self) -> Option<usize> {
        let configuration = self.configuration.as_ref()?;
        Some(configuration.img_resolution)
    }

    /// What is wrong with the card of the model `name`, if anything.
    pub(crate) fn fault(&self, name: &str) -> Option<String> {
        if self.name != name {
            return Some(format!(
                "the card is of {:?}, expected {name:?}, the folder's name",
                self.name
            ));
        }
        if self.license.trim().is_empty() {
            return Some(
                "`license` is empty; name the license of what the model generates, or \"all rights reserved\""
                    .to_owned(),
            );
        }
        self.quality.as_ref().and_then(Quality::fault)
    }

    /// What the card says otherwise than the network, if anything.
    pub(crate) fn contradiction(&self, network: &GeneratorConfig) -> Option<String> {
        let card = self.configuration.as_ref()?;
        let pairs = [
            (
                "img_resolution",
                Some(card.img_resolution),
                network.img_resolution,
            ),
            (
                "img_channels",
                Some(card.img_channels),
                network.img_channels,
            ),
            ("z_dim", Some(card.z_dim), network.z_dim),
            ("w_dim", Some(card.w_dim), network.w_dim),
            ("c_dim", Some(card.c_dim), network.c_dim),
            (
                "mapping_layers",
                card.mapping_layers,
                network.mapping_kwargs.num_layers,
            ),
        ];
        pairs
            .into_iter()
            .find(|(_, said, is)| said.is_some_and(|said| said != *is))
            .map(|(key, said, is)| {
                format!(
                    "`configuration.{key}` is {}, but the generator beside it has {is}; correct the card, or put the right generator there",
                    said.unwrap_or_default()
                )
            })
    }
}

impl Configuration {
    pub(crate) fn of(network: &GeneratorConfig) -> Self {
        Self {
            img_resolution: network.img_resolution,
            img_channels: network.img_channels,
            z_dim: network.z_dim,
            w_dim: network.w_dim,
            c_dim: network.c_dim,
            mapping_layers: Some(network.mapping_kwargs.num_layers),
            channel_base: None,
            channel_max: None,
            precision: None,
        }
    }
}
