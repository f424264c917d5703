use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor, load_module, module_tensors};
use serde::{Deserialize, Serialize};
use stylegan2::{
    Conv2dLayer, Conv2dLayerOptions, FullyConnected, FullyConnectedOptions, RandomState,
};
use stylegan2_ops::{Activation, Conv2d, Filter, UpFirDn2d, upfirdn2d};

use super::spectral_norm::{SpectralConv2d, SpectralLinear};
use super::{LevelShape, VisionFeature};
use crate::random;

/// How the layers of a head are kept in bounds; the authors published both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadForm {
    /// As in the authors' StyleGAN2 code: equalized learning rates, StyleGAN2's filter before a convolution of stride
    /// 2, leaky ReLU with a gain of sqrt 2.
    #[default]
    #[serde(alias = "equalised_learning_rate")]
    EqualizedLearningRate,
    /// As in the authors' package `vision-aided-loss`: weights divided by their spectral norm,
    /// [`BlurPool`](https://arxiv.org/abs/1904.11486) of the taps `[1, 3, 3, 1]` before a convolution of stride 2,
    /// leaky ReLU without a gain.
    SpectralNorm,
}

/// What a head does with one level of features. All layers but the last have a leaky ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeadLevel {
    /// Convolution 3x3 to `hidden` channels, halving the map where `down` is 2, then convolution 1x1 to one channel
    /// that halves it again: a map of logits.
    Convolutions {
        /// Channels of the features.
        channels: usize,
        /// Channels between the two convolutions.
        hidden: usize,
        /// 1 or 2.
        down: usize,
    },
    /// Convolution 3x3 to `hidden` channels that halves the map, then two fully connected layers over all of it: one
    /// logit.
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
#[serde(from = "StoredHeadConfig", into = "StoredHeadConfig")]
pub struct HeadConfig {
    /// In the order of the features.
    pub levels: Vec<HeadLevel>,
    /// Of all layers.
    pub form: HeadForm,
}

/// In a file the form is only written where it is not the first one that there was.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredHeadConfig {
    Levels(Vec<HeadLevel>),
    WithForm {
        form: HeadForm,
        levels: Vec<HeadLevel>,
    },
}

impl From<StoredHeadConfig> for HeadConfig {
    fn from(stored: StoredHeadConfig) -> Self {
        match stored {
            StoredHeadConfig::Levels(levels) => Self::of(levels),
            StoredHeadConfig::WithForm { form, levels } => Self { levels, form },
        }
    }
}

impl From<HeadConfig> for StoredHeadConfig {
    fn from(config: HeadConfig) -> Self {
        let HeadConfig { levels, form } = config;
        match form {
            HeadForm::EqualizedLearningRate => Self::Levels(levels),
            form => Self::WithForm { form, levels },
        }
    }
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
    /// The multi-level head for features of these shapes: convolutions on maps and fully connected layers on vectors,
    /// of the widths that the authors chose for CLIP (maps of 7x7) and DINO (maps of 14x14).
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
        Self::of(levels)
    }

    /// The authors' head for a single map, such as VGG16's last.
    pub fn simple(channels: usize, side: usize) -> Self {
        Self::of(vec![HeadLevel::Simple {
            channels,
            side,
            hidden: HIDDEN,
        }])
    }

    /// The authors' head for pooled features.
    pub fn mlp(features: usize) -> Self {
        Self::of(vec![HeadLevel::FullyConnected {
            features,
            hidden: HIDDEN,
        }])
    }

    /// The same layers in another form.
    pub fn with_form(self, form: HeadForm) -> Self {
        Self { form, ..self }
    }

    fn of(levels: Vec<HeadLevel>) -> Self {
        Self {
            levels,
            form: HeadForm::default(),
        }
    }
}

/// The trained part of a vision-aided discriminator.
#[derive(Module, Debug)]
pub struct VisionAidedHead {
    /// Empty where the form is another one.
    decoders: Vec<Decoder>,
    spectral_decoders: Vec<SpectralDecoder>,
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
        let levels = config.levels.iter();
        let (mut decoders, mut spectral_decoders) = (Vec::new(), Vec::new());
        match config.form {
            HeadForm::EqualizedLearningRate => {
                decoders.extend(levels.map(|level| Decoder::init(level, &mut random, device)));
            }
            HeadForm::SpectralNorm => spectral_decoders
                .extend(levels.map(|level| SpectralDecoder::init(level, &mut random, device))),
        }
        Self {
            decoders,
            spectral_decoders,
        }
    }

    /// How its layers are kept in bounds.
    pub fn form(&self) -> HeadForm {
        if self.spectral_decoders.is_empty() {
            HeadForm::EqualizedLearningRate
        } else {
            HeadForm::SpectralNorm
        }
    }

    /// The head after one round of the power iteration that follows the spectral norms of its weights; the same head in
    /// the other form.
    ///
    /// Differs from PyTorch's `spectral_norm`, which does a round in every forward pass, three a step: training does
    /// one before each step of a head.
    pub fn iterate_spectral_norms(mut self) -> Self {
        let decoders = self.spectral_decoders.into_iter();
        self.spectral_decoders = decoders.map(SpectralDecoder::iterate).collect();
        self
    }

    /// Loads the weights of the authors' StyleGAN2 code: `decoder.LEVEL.LAYER.{weight,bias}`, or
    /// `decoder.LAYER.{weight,bias}` where there is one level. The vectors of the power iteration lie beside the
    /// weights as `u`.
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
            self.decoders.len() + self.spectral_decoders.len(),
            "levels of the features, and of the head"
        );
        let features = features.into_iter();
        if self.decoders.is_empty() {
            let levels = self.spectral_decoders.iter().zip(features);
            levels.map(|(level, x)| level.forward(x)).collect()
        } else {
            let levels = self.decoders.iter().zip(features);
            levels.map(|(level, x)| level.forward(x)).collect()
        }
    }

    /// The authors' name of a parameter.
    fn key(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let [
            "decoders" | "spectral_decoders",
            level,
            kind,
            index,
            parameter,
        ] = parts[..]
        else {
            panic!("module path {path}: expected DECODERS.LEVEL.KIND.INDEX.PARAMETER");
        };
        let number = |text: &str| -> usize {
            text.parse()
                .unwrap_or_else(|_| panic!("module path {path}: {text} is no number"))
        };
        let level_number = number(level);
        let convolutions = match self.decoders.get(level_number) {
            Some(decoder) => decoder.convolutions.len(),
            None => self.spectral_decoders[level_number].convolutions.len(),
        };
        // The authors' sequence counts the flattening between convolutions and fully connected layers.
        let flattening = usize::from(convolutions > 0);
        let layer = match kind {
            "convolutions" => number(index),
            _ => convolutions + flattening + number(index),
        };
        if self.decoders.len() + self.spectral_decoders.len() == 1 {
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
        let convolutions = |x| {
            let layers = self.convolutions.iter();
            layers.fold(x, |x, layer| layer.forward(x, NO_GAIN))
        };
        let fully_connected = |x| {
            let layers = self.fully_connected.iter();
            layers.fold(x, |x, layer| layer.forward(x))
        };
        logits(
            feature,
            (!self.convolutions.is_empty()).then_some(convolutions),
            (!self.fully_connected.is_empty()).then_some(fully_connected),
        )
    }
}

/// Logits `[batch, height, width]` of a level: convolutions on a map, then fully connected layers on what is left of
/// it, where there are any.
fn logits(
    feature: VisionFeature,
    convolutions: Option<impl Fn(Tensor<4>) -> Tensor<4>>,
    fully_connected: Option<impl Fn(Tensor<2>) -> Tensor<2>>,
) -> Tensor<3> {
    let x = match (feature, convolutions) {
        (VisionFeature::Map(x), convolutions) => {
            let x = match convolutions {
                Some(convolutions) => convolutions(x),
                None => x,
            };
            let [batch, channels, height, width] = x.dims();
            if fully_connected.is_none() {
                assert_eq!(channels, 1, "channels of a map of logits");
                return x.reshape([batch, height, width]);
            }
            x.reshape([batch, channels * height * width])
        }
        (VisionFeature::Vector(x), None) => x,
        (VisionFeature::Vector(_), Some(_)) => {
            panic!("this level of the head expects a map, found a vector")
        }
    };
    let x = match fully_connected {
        Some(fully_connected) => fully_connected(x),
        None => x,
    };
    let batch = x.dims()[0];
    x.reshape([batch, 1, 1])
}

/// Layers of one level in the form with spectral norms.
#[derive(Module, Debug)]
struct SpectralDecoder {
    convolutions: Vec<SpectralConv2d>,
    /// Padding of the BlurPool before each convolution, where there is one.
    #[module(skip)]
    blurs: Vec<Option<isize>>,
    fully_connected: Vec<SpectralLinear>,
}

/// The authors' BlurPool pads by one pixel, and by one more before a convolution that does not pad itself.
const BLUR_PADDING: isize = 1;
const BLUR_PADDING_BEFORE_3X3: isize = 2;
/// Slope of the leaky ReLU for negative numbers.
const SLOPE: f64 = 0.2;

impl SpectralDecoder {
    fn init(level: &HeadLevel, random: &mut RandomState, device: &Device) -> Self {
        let halving = Conv2d {
            stride: [2, 2],
            ..Conv2d::default()
        };
        let keeping = Conv2d {
            padding: [1, 1],
            ..Conv2d::default()
        };
        match *level {
            HeadLevel::Convolutions {
                channels,
                hidden,
                down,
            } => {
                let (blur, first) = match down {
                    1 => (None, keeping),
                    _ => (Some(BLUR_PADDING_BEFORE_3X3), halving),
                };
                Self {
                    convolutions: vec![
                        SpectralConv2d::init([channels, hidden], 3, first, random, device),
                        SpectralConv2d::init([hidden, 1], 1, halving, random, device),
                    ],
                    blurs: vec![blur, Some(BLUR_PADDING)],
                    fully_connected: Vec::new(),
                }
            }
            HeadLevel::Simple {
                channels,
                side,
                hidden,
            } => {
                let left = (side / 2).pow(2);
                Self {
                    convolutions: vec![SpectralConv2d::init(
                        [channels, hidden],
                        3,
                        halving,
                        random,
                        device,
                    )],
                    blurs: vec![Some(BLUR_PADDING_BEFORE_3X3)],
                    fully_connected: vec![
                        SpectralLinear::init(left * hidden, hidden, random, device),
                        SpectralLinear::init(hidden, 1, random, device),
                    ],
                }
            }
            HeadLevel::FullyConnected { features, hidden } => Self {
                convolutions: Vec::new(),
                blurs: Vec::new(),
                fully_connected: vec![
                    SpectralLinear::init(features, hidden, random, device),
                    SpectralLinear::init(hidden, 1, random, device),
                ],
            },
        }
    }

    fn forward(&self, feature: VisionFeature) -> Tensor<3> {
        let last = self.convolutions.len() + self.fully_connected.len() - 1;
        let convolutions = |x| {
            let layers = self.convolutions.iter().zip(&self.blurs).enumerate();
            layers.fold(x, |x, (index, (layer, padding))| {
                let x = match padding {
                    Some(padding) => blur(x, *padding),
                    None => x,
                };
                let y = layer.forward(x);
                if index < last {
                    leaky_relu(y, SLOPE)
                } else {
                    y
                }
            })
        };
        let fully_connected = |x| {
            let layers = self.fully_connected.iter().enumerate();
            layers.fold(x, |x, (index, layer)| {
                let y = layer.forward(x);
                if self.convolutions.len() + index < last {
                    leaky_relu(y, SLOPE)
                } else {
                    y
                }
            })
        };
        logits(
            feature,
            (!self.convolutions.is_empty()).then_some(convolutions),
            (!self.fully_connected.is_empty()).then_some(fully_connected),
        )
    }

    fn iterate(self) -> Self {
        let convolutions = self.convolutions.into_iter();
        let fully_connected = self.fully_connected.into_iter();
        Self {
            convolutions: convolutions.map(SpectralConv2d::iterate).collect(),
            fully_connected: fully_connected.map(SpectralLinear::iterate).collect(),
            blurs: self.blurs,
        }
    }
}

/// BlurPool (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again") of stride 1: the layer behind it takes
/// every other pixel.
fn blur(x: Tensor<4>, padding: isize) -> Tensor<4> {
    const TAPS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];
    let parameters = UpFirDn2d {
        padding: [padding; 4],
        ..UpFirDn2d::default()
    };
    upfirdn2d(x, &Filter::normalized_outer(&TAPS), &parameters)
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
