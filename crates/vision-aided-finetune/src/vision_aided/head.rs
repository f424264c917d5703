use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint::{Checkpoint, CheckpointError, StoredTensor, load_module, module_tensors};
use kernels::Activation;
use serde::{Deserialize, Serialize};
use stylegan2::{
    Conv2dLayer, Conv2dLayerOptions, FullyConnected, FullyConnectedOptions, RandomState,
};

use super::{LevelShape, VisionFeature};
use crate::random;

/// What a head does with one level of features. All layers have equalised learning rates, and all but the last a leaky ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadLevel {
    /// Convolution 3x3 to `hidden` channels, halving the map where `down` is 2, then convolution 1x1 to one channel that halves it again: a
    /// map of logits.
    Convolutions {
        /// Channels of the features.
        channels: usize,
        /// Channels between the two convolutions.
        hidden: usize,
        /// 1 or 2.
        down: usize,
    },
    /// Convolution 3x3 to `hidden` channels that halves the map, then two fully connected layers over all of it: one logit.
    Simple {
        /// Channels of the features.
        channels: usize,
        /// Side of the features, at least 2.
        side: usize,
        /// Channels behind the convolution and the first fully connected layer.
        hidden: usize,
    },
    /// Two fully connected layers on a vector: one logit.
    FullyConnected {
        /// Length of the vector.
        features: usize,
        /// Length between the two layers.
        hidden: usize,
    },
}

/// Layers of a [`VisionAidedHead`], a [`HeadLevel`] for each level of features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeadConfig {
    /// In the order of the features.
    pub levels: Vec<HeadLevel>,
}

/// Maps larger than this are halved by the first convolution too, as DINO's 14x14 are and CLIP's 7x7 are not.
const LARGEST_MAP_AS_IT_IS: usize = 7;
/// Hidden channels of the published heads on CLIP, VGG16 and pooled features.
const HIDDEN: usize = 256;
/// Hidden channels of the published head on DINO, which has larger maps.
const HIDDEN_LARGE_MAPS: usize = 128;
/// Hidden channels are at most this many times the channels of a map.
const MAX_WIDENING: usize = 2;

impl HeadConfig {
    /// The multi-level head for features of these shapes: convolutions on maps and fully connected layers on vectors, of the widths that
    /// the authors chose for CLIP (maps of 7x7) and DINO (maps of 14x14).
    ///
    /// Maps of few channels, which the authors' networks do not have, get at most twice as many hidden ones.
    pub fn multi_level(shapes: &[LevelShape]) -> Self {
        let largest = shapes.iter().map(|shape| shape.side()).max().unwrap_or(1);
        let widest = if largest > LARGEST_MAP_AS_IT_IS {
            HIDDEN_LARGE_MAPS
        } else {
            HIDDEN
        };
        let levels = shapes
            .iter()
            .map(|shape| match *shape {
                LevelShape::Map { channels, side } => HeadLevel::Convolutions {
                    channels,
                    hidden: widest.min(MAX_WIDENING * channels),
                    down: if side > LARGEST_MAP_AS_IT_IS { 2 } else { 1 },
                },
                LevelShape::Vector { features } => HeadLevel::FullyConnected {
                    features,
                    hidden: widest,
                },
            })
            .collect();
        Self { levels }
    }

    /// The authors' head for a single map, such as VGG16's last.
    pub fn simple(channels: usize, side: usize) -> Self {
        Self {
            levels: vec![HeadLevel::Simple {
                channels,
                side,
                hidden: HIDDEN,
            }],
        }
    }

    /// The authors' head for pooled features.
    pub fn mlp(features: usize) -> Self {
        Self {
            levels: vec![HeadLevel::FullyConnected {
                features,
                hidden: HIDDEN,
            }],
        }
    }
}

/// The trained part of a vision-aided discriminator.
#[derive(Module, Debug)]
pub struct VisionAidedHead {
    decoders: Vec<Decoder>,
}

/// Layers of one level: convolutions on the map, then fully connected layers on what is left of it.
#[derive(Module, Debug)]
struct Decoder {
    convolutions: Vec<Conv2dLayer>,
    fully_connected: Vec<FullyConnected>,
}

impl VisionAidedHead {
    /// A head of random weights.
    ///
    /// # Panics
    /// When there is no level.
    pub fn init(config: &HeadConfig, seed: u64, device: &Device) -> Self {
        assert!(
            !config.levels.is_empty(),
            "a head needs at least one level of features"
        );
        let mut random = RandomState::from_key(&[seed as u32, (seed >> 32) as u32]);
        Self {
            decoders: config
                .levels
                .iter()
                .map(|level| Decoder::init(level, &mut random, device))
                .collect(),
        }
    }

    /// Loads the weights of the authors' StyleGAN2 code: `decoder.LEVEL.LAYER.{weight,bias}`, or `decoder.LAYER.{weight,bias}` where there is
    /// one level.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the head.
    pub fn load(
        config: &HeadConfig,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let head = Self::init(config, 0, device);
        load_module(&head, checkpoint, |path| head.key(path))
    }

    /// The weights under the names that [`load`](Self::load) reads.
    pub fn tensors(&self) -> BTreeMap<String, StoredTensor> {
        module_tensors(self, |path| self.key(path))
    }

    /// Logits of each level of the features: `[batch, height, width]` for maps, `[batch, 1, 1]` for the rest.
    ///
    /// # Panics
    /// When there are more or fewer features than levels, or one has another shape.
    pub fn forward(&self, features: Vec<VisionFeature>) -> Vec<Tensor<3>> {
        assert_eq!(
            features.len(),
            self.decoders.len(),
            "levels of the features, and of the head"
        );
        self.decoders
            .iter()
            .zip(features)
            .map(|(decoder, feature)| decoder.forward(feature))
            .collect()
    }

    /// The authors' name of a parameter.
    fn key(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let ["decoders", level, kind, index, parameter] = parts[..] else {
            panic!("module path {path}: expected decoders.LEVEL.KIND.INDEX.PARAMETER");
        };
        let number = |text: &str| -> usize {
            text.parse()
                .unwrap_or_else(|_| panic!("module path {path}: {text} is no number"))
        };
        let convolutions = self.decoders[number(level)].convolutions.len();
        // The authors' sequence counts the flattening between convolutions and fully connected layers.
        let flattening = usize::from(convolutions > 0);
        let layer = match kind {
            "convolutions" => number(index),
            _ => convolutions + flattening + number(index),
        };
        if self.decoders.len() == 1 {
            format!("decoder.{layer}.{parameter}")
        } else {
            format!("decoder.{level}.{layer}.{parameter}")
        }
    }
}

impl Decoder {
    fn init(level: &HeadLevel, random: &mut RandomState, device: &Device) -> Self {
        let mut seed = || random::seed(random) as u32;
        let mut convolution = |in_channels, out_channels, kernel_size, activation, down| {
            let options = Conv2dLayerOptions {
                in_channels,
                out_channels,
                kernel_size,
                bias: true,
                activation,
                up: 1,
                down,
                conv_clamp: None,
                trainable: true,
            };
            Conv2dLayer::init(options, seed(), device)
        };
        let (hidden_activation, linear) = (Activation::LeakyRelu, Activation::Linear);
        match *level {
            HeadLevel::Convolutions {
                channels,
                hidden,
                down,
            } => Self {
                convolutions: vec![
                    convolution(channels, hidden, 3, hidden_activation, down),
                    convolution(hidden, 1, 1, linear, 2),
                ],
                fully_connected: Vec::new(),
            },
            HeadLevel::Simple {
                channels,
                side,
                hidden,
            } => {
                let first = convolution(channels, hidden, 3, hidden_activation, 2);
                // Without the last row and column where the side is odd.
                let left = (side / 2).pow(2);
                Self {
                    convolutions: vec![first],
                    fully_connected: two_layers(left * hidden, hidden, &mut seed, device),
                }
            }
            HeadLevel::FullyConnected { features, hidden } => Self {
                convolutions: Vec::new(),
                fully_connected: two_layers(features, hidden, &mut seed, device),
            },
        }
    }

    fn forward(&self, feature: VisionFeature) -> Tensor<3> {
        const NO_GAIN: f32 = 1.0;
        let x = match feature {
            VisionFeature::Map(mut x) => {
                for layer in &self.convolutions {
                    x = layer.forward(x, NO_GAIN);
                }
                let [batch, channels, height, width] = x.dims();
                if self.fully_connected.is_empty() {
                    assert_eq!(channels, 1, "channels of a map of logits");
                    return x.reshape([batch, height, width]);
                }
                x.reshape([batch, channels * height * width])
            }
            VisionFeature::Vector(x) => {
                assert!(
                    self.convolutions.is_empty(),
                    "this level of the head expects a map, found a vector"
                );
                x
            }
        };
        let logits = self
            .fully_connected
            .iter()
            .fold(x, |x, layer| layer.forward(x));
        let batch = logits.dims()[0];
        logits.reshape([batch, 1, 1])
    }
}

fn two_layers(
    inputs: usize,
    hidden: usize,
    seed: &mut impl FnMut() -> u32,
    device: &Device,
) -> Vec<FullyConnected> {
    let leaky = FullyConnectedOptions {
        activation: Activation::LeakyRelu,
        ..FullyConnectedOptions::default()
    };
    let linear = FullyConnectedOptions::default();
    vec![
        FullyConnected::init(inputs, hidden, leaky, seed(), device),
        FullyConnected::init(hidden, 1, linear, seed(), device),
    ]
}
