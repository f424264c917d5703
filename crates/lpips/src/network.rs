use std::fmt;
use std::str::FromStr;

use backbones::{AlexNet, PublishedWeights, SqueezeNet, Vgg16};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError};
use serde::{Deserialize, Serialize};

use crate::{LpipsError, Version};

/// The network whose features are compared.
///
/// The authors use AlexNet to judge images and VGG16 as a loss; its names in the authors' package (`alex`, `vgg`,
/// `squeeze`) are what [`fmt::Display`] and serde write and [`FromStr`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LpipsNetwork {
    /// `alex`: the five ReLUs of AlexNet.
    #[default]
    #[serde(rename = "alex")]
    AlexNet,
    /// `vgg`: relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3 of VGG16.
    #[serde(rename = "vgg")]
    Vgg16,
    /// `squeeze`: seven activations of SqueezeNet 1.1.
    #[serde(rename = "squeeze")]
    SqueezeNet,
}

impl LpipsNetwork {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AlexNet, Self::Vgg16, Self::SqueezeNet];

    /// Its name in the authors' package.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlexNet => "alex",
            Self::Vgg16 => "vgg",
            Self::SqueezeNet => "squeeze",
        }
    }

    /// Channels of the compared activations.
    pub fn channels(self) -> &'static [usize] {
        match self {
            Self::AlexNet => &AlexNet::CHANNELS,
            Self::Vgg16 => &Vgg16::CHANNELS,
            Self::SqueezeNet => &[64, 128, 256, 384, 384, 512, 512],
        }
    }

    /// Least height and width of an image.
    pub fn min_size(self) -> usize {
        match self {
            Self::AlexNet => AlexNet::MIN_SIZE,
            Self::Vgg16 => Vgg16::MIN_SIZE,
            Self::SqueezeNet => SqueezeNet::MIN_SIZE,
        }
    }

    /// The files that [`Lpips::load`](crate::Lpips::load) reads: the network's weights and the heads.
    ///
    /// ```
    /// use lpips::{LpipsNetwork, Version};
    ///
    /// let [weights, heads] = LpipsNetwork::AlexNet.published_weights(Version::V0_1);
    /// assert_eq!(weights.names, ["alexnet.safetensors", "alexnet-owt-7be5be79.pth"]);
    /// assert_eq!(heads.names, ["lpips_v0.1_alex.safetensors", "v0.1/alex.pth"]);
    /// ```
    pub fn published_weights(self, version: Version) -> [PublishedWeights; 2] {
        let weights = match self {
            Self::AlexNet => PublishedWeights::ALEXNET,
            Self::Vgg16 => PublishedWeights::VGG16,
            Self::SqueezeNet => PublishedWeights::SQUEEZENET,
        };
        let names: &[&str] = match (version, self) {
            (Version::V0_0, Self::AlexNet) => &["lpips_v0.0_alex.safetensors", "v0.0/alex.pth"],
            (Version::V0_0, Self::Vgg16) => &["lpips_v0.0_vgg.safetensors", "v0.0/vgg.pth"],
            (Version::V0_0, Self::SqueezeNet) => {
                &["lpips_v0.0_squeeze.safetensors", "v0.0/squeeze.pth"]
            }
            (Version::V0_1, Self::AlexNet) => &["lpips_v0.1_alex.safetensors", "v0.1/alex.pth"],
            (Version::V0_1, Self::Vgg16) => &["lpips_v0.1_vgg.safetensors", "v0.1/vgg.pth"],
            (Version::V0_1, Self::SqueezeNet) => {
                &["lpips_v0.1_squeeze.safetensors", "v0.1/squeeze.pth"]
            }
        };
        let heads = PublishedWeights {
            names,
            publisher: "the Python package lpips has the heads in its folder weights, as v0.1/alex.pth, vgg.pth and squeeze.pth, and the same in v0.0",
        };
        [weights, heads]
    }
}

impl fmt::Display for LpipsNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LpipsNetwork {
    type Err = LpipsError;

    fn from_str(name: &str) -> Result<Self, LpipsError> {
        Self::ALL
            .into_iter()
            .find(|network| network.name() == name)
            .ok_or_else(|| LpipsError::UnknownNetwork {
                found: name.to_owned(),
            })
    }
}

/// A loaded network of any kind.
#[derive(Clone, Debug)]
pub(crate) enum Backbone {
    AlexNet(AlexNet),
    Vgg16(Vgg16),
    SqueezeNet(SqueezeNet),
}

impl Backbone {
    pub fn load(
        network: LpipsNetwork,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        Ok(match network {
            LpipsNetwork::AlexNet => Self::AlexNet(AlexNet::load(checkpoint, device)?),
            LpipsNetwork::Vgg16 => Self::Vgg16(Vgg16::load(checkpoint, device)?),
            LpipsNetwork::SqueezeNet => Self::SqueezeNet(SqueezeNet::load(checkpoint, device)?),
        })
    }

    /// The compared activations of `x` `[batch, 3, height, width]`.
    pub fn activations(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Self::AlexNet(network) => network.forward(x).into(),
            Self::Vgg16(network) => network.forward(x).into(),
            Self::SqueezeNet(network) => network.forward(x).into(),
        }
    }
}
