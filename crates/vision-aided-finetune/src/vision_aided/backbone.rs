use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use backbones::{
    ClipImage, DinoVitB16, EfficientNetLite0, Preprocessing, PublishedWeights, ResizeMethod,
    Sizing, Vgg16,
};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError};
use serde::{Deserialize, Serialize};

use super::HeadConfig;
use crate::TrainingError;

/// One level of a network's features.
#[derive(Clone, Debug)]
pub enum VisionFeature {
    /// `[batch, channels, side, side]`
    Map(Tensor<4>),
    /// `[batch, features]`
    Vector(Tensor<2>),
}

impl VisionFeature {
    /// The same values as constants on the autodiff device: what a head is trained on.
    pub(crate) fn detached(self) -> Self {
        match self {
            Self::Map(x) => Self::Map(Tensor::from_inner(x)),
            Self::Vector(x) => Self::Vector(Tensor::from_inner(x)),
        }
    }
}

/// Shape of a [`VisionFeature`], without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelShape {
    /// A square map.
    Map {
        /// Channels.
        channels: usize,
        /// Height and width.
        side: usize,
    },
    /// A vector.
    Vector {
        /// Its length.
        features: usize,
    },
}

impl LevelShape {
    /// Height and width; 1 for a vector.
    pub fn side(&self) -> usize {
        match self {
            Self::Map { side, .. } => *side,
            Self::Vector { .. } => 1,
        }
    }
}

/// The frozen networks that discriminators stand on, by the names that [`fmt::Display`] writes and [`FromStr`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VisionBackboneKind {
    /// `efficientnet_lite0`: maps of 24, 40 and 112 channels at 1/4, 1/8 and 1/16 of the input, and the 1280 pooled
    /// features.
    #[default]
    EfficientNetLite0,
    /// `vgg16`: the map of 512 channels at 1/32 of the input, behind the last pooling.
    Vgg16,
    /// `clip_vit_b32`: the patches behind blocks 4 and 8, maps of 768 channels of 7x7, and the embedding of 512
    /// numbers.
    ClipVitB32,
    /// `dino_vit_b16`: the patches of blocks 4 and 8, counted from 0, behind the final norm, maps of 768 channels of
    /// 14x14, and the class token.
    DinoVitB16,
}

impl VisionBackboneKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::EfficientNetLite0,
        Self::Vgg16,
        Self::ClipVitB32,
        Self::DinoVitB16,
    ];

    /// Whether it has the levels of [`VisionLevels::Fine`].
    pub fn has_fine_levels(self) -> bool {
        matches!(self, Self::EfficientNetLite0 | Self::Vgg16)
    }

    /// The file of its weights.
    pub fn published_weights(self) -> PublishedWeights {
        match self {
            Self::EfficientNetLite0 => PublishedWeights::EFFICIENTNET_LITE0,
            Self::Vgg16 => PublishedWeights::VGG16,
            Self::ClipVitB32 => PublishedWeights::CLIP_VIT_B32,
            Self::DinoVitB16 => PublishedWeights::DINO_VIT_B16,
        }
    }
}

impl fmt::Display for VisionBackboneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EfficientNetLite0 => "efficientnet_lite0",
            Self::Vgg16 => "vgg16",
            Self::ClipVitB32 => "clip_vit_b32",
            Self::DinoVitB16 => "dino_vit_b16",
        })
    }
}

impl FromStr for VisionBackboneKind {
    type Err = TrainingError;

    fn from_str(name: &str) -> Result<Self, TrainingError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == name)
            .ok_or_else(|| TrainingError::InvalidOption {
                option: "vision_aided",
                found: name.to_owned(),
                expected: format!(
                    "one of {}",
                    Self::ALL.map(|kind| kind.to_string()).join(", ")
                ),
            })
    }
}

/// Which levels of a network's features a head sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VisionLevels {
    /// Those of the published heads, or what comes nearest to them.
    #[default]
    Published,
    /// Shallow ones too, of half and quarter resolution, where lines are. EfficientNet-lite0: maps of 16, 24, 40 and
    /// 112 channels at 1/2, 1/4, 1/8 and 1/16 of the input, and the pooled features. VGG16: 128, 256 and 512 channels
    /// at 1/2, 1/4 and 1/8, and 512 at 1/32. The transformers have none.
    Fine,
}

impl fmt::Display for VisionLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Published => "published",
            Self::Fine => "fine",
        })
    }
}

impl FromStr for VisionLevels {
    type Err = TrainingError;

    fn from_str(name: &str) -> Result<Self, TrainingError> {
        match name {
            "published" => Ok(Self::Published),
            "fine" => Ok(Self::Fine),
            _ => Err(TrainingError::InvalidOption {
                option: "levels",
                found: name.to_owned(),
                expected: "published or fine".to_owned(),
            }),
        }
    }
}

/// A frozen vision network behind the resize and the normalization of the vision-aided code. Clones share the weights.
///
/// Gradients flow through it into the images, and none of its weights are computed: they are constants.
#[derive(Clone, Debug)]
pub struct VisionBackbone {
    network: Arc<Network>,
    input_side: usize,
    levels: VisionLevels,
}

#[derive(Debug)]
enum Network {
    EfficientNetLite0(EfficientNetLite0),
    Vgg16(Vgg16),
    Clip(ClipImage),
    Dino(DinoVitB16),
}

/// Side of the input, as published.
const PUBLISHED_INPUT_SIDE: usize = 224;
/// The smallest maps of the convolutional networks have one pixel for so many of the input's.
const SMALLEST_MAP_DIVISOR: usize = 32;

impl VisionBackbone {
    /// Loads a network with its input of 224 pixels, as published. The `load` of each network in `backbones` says which
    /// files it reads.
    ///
    /// # Errors
    /// When the weights do not fit.
    pub fn load(
        kind: VisionBackboneKind,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let network = match kind {
            VisionBackboneKind::EfficientNetLite0 => {
                Network::EfficientNetLite0(EfficientNetLite0::load(checkpoint, device)?)
            }
            VisionBackboneKind::Vgg16 => Network::Vgg16(Vgg16::load(checkpoint, device)?),
            VisionBackboneKind::ClipVitB32 => Network::Clip(ClipImage::load(checkpoint, device)?),
            VisionBackboneKind::DinoVitB16 => Network::Dino(DinoVitB16::load(checkpoint, device)?),
        };
        Ok(Self {
            network: Arc::new(network),
            input_side: PUBLISHED_INPUT_SIDE,
            levels: VisionLevels::Published,
        })
    }

    /// The network with all weights zero, to know its shapes.
    pub fn init(kind: VisionBackboneKind, device: &Device) -> Self {
        Self {
            network: Arc::new(match kind {
                VisionBackboneKind::EfficientNetLite0 => {
                    Network::EfficientNetLite0(EfficientNetLite0::init(device))
                }
                VisionBackboneKind::Vgg16 => Network::Vgg16(Vgg16::init(device)),
                VisionBackboneKind::ClipVitB32 => Network::Clip(ClipImage::init(device)),
                VisionBackboneKind::DinoVitB16 => Network::Dino(DinoVitB16::init(device)),
            }),
            input_side: PUBLISHED_INPUT_SIDE,
            levels: VisionLevels::Published,
        }
    }

    /// The network on inputs of another side; smaller ones cost less.
    ///
    /// # Errors
    /// When the side is not a multiple of 32 (VGG16: from 64 on), or the network takes only the published one (the
    /// transformers).
    pub fn with_input_side(mut self, side: usize) -> Result<Self, TrainingError> {
        let takes_any = self.is_convolutional();
        let valid = if takes_any {
            side >= self.least_input_side() && side.is_multiple_of(SMALLEST_MAP_DIVISOR)
        } else {
            side == PUBLISHED_INPUT_SIDE
        };
        if !valid {
            return Err(TrainingError::InvalidOption {
                option: "input_side",
                found: side.to_string(),
                expected: if takes_any {
                    format!(
                        "a multiple of {SMALLEST_MAP_DIVISOR} from {} on",
                        self.least_input_side()
                    )
                } else {
                    format!("{PUBLISHED_INPUT_SIDE} for {}", self.kind())
                },
            });
        }
        self.input_side = side;
        Ok(self)
    }

    /// The network with other levels.
    ///
    /// # Errors
    /// When the network has only the published ones (the transformers).
    pub fn with_levels(mut self, levels: VisionLevels) -> Result<Self, TrainingError> {
        if levels != VisionLevels::Published && !self.is_convolutional() {
            return Err(TrainingError::InvalidOption {
                option: "levels",
                found: levels.to_string(),
                expected: format!(
                    "published for {}, which has no map of more pixels",
                    self.kind()
                ),
            });
        }
        self.levels = levels;
        Ok(self)
    }

    fn is_convolutional(&self) -> bool {
        matches!(
            *self.network,
            Network::EfficientNetLite0(_) | Network::Vgg16(_)
        )
    }

    /// Which levels of its features [`forward`](Self::forward) returns.
    pub fn levels(&self) -> VisionLevels {
        self.levels
    }

    /// Whether the authors published no head for these levels, so that
    /// [`average_levels`](super::VisionAidedConfig::average_levels) counts.
    pub(crate) fn has_own_levels(&self) -> bool {
        match *self.network {
            Network::EfficientNetLite0(_) => true,
            _ => self.levels != VisionLevels::Published,
        }
    }

    /// The head on VGG16 halves its map of 1/32.
    fn least_input_side(&self) -> usize {
        match *self.network {
            Network::Vgg16(_) => 2 * SMALLEST_MAP_DIVISOR,
            _ => SMALLEST_MAP_DIVISOR,
        }
    }

    /// Which network it is.
    pub fn kind(&self) -> VisionBackboneKind {
        match *self.network {
            Network::EfficientNetLite0(_) => VisionBackboneKind::EfficientNetLite0,
            Network::Vgg16(_) => VisionBackboneKind::Vgg16,
            Network::Clip(_) => VisionBackboneKind::ClipVitB32,
            Network::Dino(_) => VisionBackboneKind::DinoVitB16,
        }
    }

    /// Side of the input that images are resized to.
    pub fn input_side(&self) -> usize {
        self.input_side
    }

    /// Shapes of what [`forward`](Self::forward) returns.
    pub fn shapes(&self) -> Vec<LevelShape> {
        let map = |channels, divisor| LevelShape::Map {
            channels,
            side: self.input_side / divisor,
        };
        let fine = self.levels == VisionLevels::Fine;
        match *self.network {
            Network::EfficientNetLite0(_) => fine
                .then(|| map(16, 2))
                .into_iter()
                .chain([
                    map(24, 4),
                    map(40, 8),
                    map(112, 16),
                    LevelShape::Vector {
                        features: EfficientNetLite0::FEATURES,
                    },
                ])
                .collect(),
            Network::Vgg16(_) if fine => vec![map(128, 2), map(256, 4), map(512, 8), map(512, 32)],
            Network::Vgg16(_) => vec![map(512, 32)],
            Network::Clip(_) => vec![
                map(TRANSFORMER_WIDTH, 32),
                map(TRANSFORMER_WIDTH, 32),
                LevelShape::Vector {
                    features: ClipImage::FEATURES,
                },
            ],
            Network::Dino(_) => vec![
                map(TRANSFORMER_WIDTH, 16),
                map(TRANSFORMER_WIDTH, 16),
                LevelShape::Vector {
                    features: DinoVitB16::FEATURES,
                },
            ],
        }
    }

    /// The published head for this network, with a level for each of the features: VGG16's published one is the only
    /// one of a single level.
    pub fn head(&self) -> HeadConfig {
        match (self.shapes().as_slice(), self.kind()) {
            (&[LevelShape::Map { channels, side }], _) => HeadConfig::simple(channels, side),
            (shapes, _) => HeadConfig::multi_level(shapes),
        }
    }

    /// Features of images `[batch, 1, 3 or 4, height, width]` in [-1, 1], differentiable in the images; gray as three
    /// channels, transparency over white.
    ///
    /// The images are resized to the input's side by area, as `interpolate(mode='area')` does, and normalized as the
    /// authors do for this network.
    ///
    /// # Panics
    /// When there is another number of channels.
    pub fn forward(&self, images: Tensor<4>) -> Vec<VisionFeature> {
        let input = self.preprocessing().tensor(images);
        match &*self.network {
            Network::EfficientNetLite0(network) => {
                let activations = network.forward(input);
                let [half, quarter, eighth, _, sixteenth, _, _] = activations.stages;
                let mut features = match self.levels {
                    VisionLevels::Published => Vec::new(),
                    VisionLevels::Fine => vec![VisionFeature::Map(half)],
                };
                features.extend([quarter, eighth, sixteenth].map(VisionFeature::Map));
                features.push(VisionFeature::Vector(activations.features));
                features
            }
            Network::Vgg16(network) => {
                let [_, half, quarter, eighth, last] = network.forward(input);
                let last = halved_by_maximum(last);
                match self.levels {
                    VisionLevels::Published => vec![VisionFeature::Map(last)],
                    VisionLevels::Fine => {
                        Vec::from([half, quarter, eighth, last].map(VisionFeature::Map))
                    }
                }
            }
            Network::Clip(network) => {
                // After resblocks[3] and resblocks[7].
                let activations = network.forward(input);
                let [fourth, eighth] =
                    [3, 7].map(|block| patch_map(activations.blocks[block].clone()));
                vec![fourth, eighth, VisionFeature::Vector(activations.embedding)]
            }
            Network::Dino(network) => {
                // The first and the fifth of the last eight blocks.
                let activations = network.forward(input);
                let [first, fifth] = [4, 8]
                    .map(|block| patch_map(network.normalize(activations.blocks[block].clone())));
                vec![first, fifth, VisionFeature::Vector(activations.embedding)]
            }
        }
    }

    /// One vector of features an image, `[batch, features]`: the last level, averaged over the map where it is one.
    /// What a [`LinearProbe`](super::LinearProbe) looks at.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn pooled(&self, images: Tensor<4>) -> Tensor<2> {
        let last = self.forward(images).pop();
        match last.expect("a network has at least one level") {
            VisionFeature::Vector(x) => x,
            VisionFeature::Map(x) => {
                let [batch, channels, height, width] = x.dims();
                x.reshape([batch, channels, height * width])
                    .mean_dim(2)
                    .reshape([batch, channels])
            }
        }
    }

    /// The networks' published normalization behind a resize by area of the whole image, which is what the authors put
    /// in front of all of them.
    fn preprocessing(&self) -> Preprocessing {
        let published = match *self.network {
            Network::EfficientNetLite0(_) => Preprocessing::EFFICIENTNET_LITE0,
            Network::Clip(_) => Preprocessing::CLIP_VIT_B32,
            // ImageNet's, with which torchvision's VGG16 was trained too.
            Network::Vgg16(_) => Preprocessing::DINO_VIT_B16,
            // The authors give DINO the mean of CLIP and the standard deviation of ImageNet.
            Network::Dino(_) => Preprocessing {
                mean: Preprocessing::CLIP_VIT_B32.mean,
                ..Preprocessing::DINO_VIT_B16
            },
        };
        let side = self.input_side as u32;
        Preprocessing {
            name: "vision-aided discriminator",
            sizing: Sizing::Square(side),
            resize_method: ResizeMethod::Area,
            crop: side,
            ..published
        }
    }
}

/// Channels of the patches of both transformers.
const TRANSFORMER_WIDTH: usize = 768;

/// Tokens `[batch, 1 + side^2, width]` to the map of the patches `[batch, width, side, side]`, without the class token.
fn patch_map(tokens: Tensor<3>) -> VisionFeature {
    let [batch, count, width] = tokens.dims();
    let side = (count - 1).isqrt();
    VisionFeature::Map(
        tokens
            .slice([0..batch, 1..count, 0..width])
            .swap_dims(1, 2)
            .reshape([batch, width, side, side]),
    )
}

/// VGG16's last pooling: the greatest of each 2x2.
fn halved_by_maximum(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([2; 2]).with_stride([2; 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants of `cvmodel.py` in the authors' package, but for EfficientNet-lite0, which it does not have.
    #[test]
    fn images_are_normalized_as_the_authors_do() {
        const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
        const CLIP_MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
        let device = testkit::devices().remove(0).1;
        for (kind, mean, std) in [
            (
                VisionBackboneKind::EfficientNetLite0,
                [127.0 / 255.0; 3],
                [128.0 / 255.0; 3],
            ),
            (
                VisionBackboneKind::Vgg16,
                [0.485, 0.456, 0.406],
                IMAGENET_STD,
            ),
            (
                VisionBackboneKind::ClipVitB32,
                CLIP_MEAN,
                [0.26862954, 0.261_302_6, 0.275_777_1],
            ),
            (VisionBackboneKind::DinoVitB16, CLIP_MEAN, IMAGENET_STD),
        ] {
            let found = VisionBackbone::init(kind, &device).preprocessing();
            assert_eq!((found.mean, found.std), (mean, std), "{kind}");
            assert_eq!(found.resize_method, ResizeMethod::Area);
            assert_eq!((found.sizing, found.crop), (Sizing::Square(224), 224));
        }
    }
}
