use std::borrow::Cow;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};

use crate::batch_norm::{self, Normalized};
use crate::convolution::Convolution;
use crate::depthwise::{self, activated_depthwise, relu6};
use crate::linear::Linear;
use crate::same_padding::convolve_same;

/// Added to the variances: TensorFlow's default, which the published networks were trained with.
const NORMALIZATION_EPSILON: f64 = 1e-3;
/// Channels of the first convolution. In the lite networks neither it nor the last one is scaled.
const STEM_CHANNELS: usize = 32;
const CLASSES: usize = 1000;

/// One of the seven stages of EfficientNet-B0, without squeeze and excitation.
struct Stage {
    repeats: usize,
    kernel: usize,
    /// Of the first block; the others have stride 1.
    stride: usize,
    expansion: usize,
    channels: usize,
}

impl Stage {
    const fn new(
        repeats: usize,
        kernel: usize,
        stride: usize,
        expansion: usize,
        channels: usize,
    ) -> Self {
        Self {
            repeats,
            kernel,
            stride,
            expansion,
            channels,
        }
    }
}

/// Table 1 of the EfficientNet paper.
const STAGES: [Stage; EfficientNetLite0::STAGES] = [
    Stage::new(1, 3, 1, 1, 16),
    Stage::new(2, 3, 2, 6, 24),
    Stage::new(2, 5, 2, 6, 40),
    Stage::new(3, 3, 2, 6, 80),
    Stage::new(3, 5, 1, 6, 112),
    Stage::new(4, 5, 2, 6, 192),
    Stage::new(1, 3, 1, 6, 320),
];

/// A mobile inverted bottleneck: expansion, depthwise convolution, projection, and the input added where the shapes
/// agree.
#[derive(Module, Debug)]
struct InvertedBottleneck {
    expand: Option<Convolution>,
    depthwise: Convolution,
    project: Convolution,
    stride: usize,
    is_residual: bool,
}

impl InvertedBottleneck {
    fn init(input: usize, stride: usize, stage: &Stage, device: &Device) -> Self {
        let Stage {
            kernel,
            expansion,
            channels,
            ..
        } = *stage;
        let wide = input * expansion;
        Self {
            expand: (expansion > 1).then(|| Convolution::init(input, wide, 1, device)),
            depthwise: Convolution::init_shape([wide, 1, kernel, kernel], device),
            project: Convolution::init(wide, channels, 1, device),
            stride,
            is_residual: stride == 1 && input == channels,
        }
    }

    /// `x` is not activated where there is no expansion: the depthwise convolution does that with its input.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let wide = match &self.expand {
            Some(expand) => expand.forward(x.clone(), 1, 0),
            None => x.clone(),
        };
        let filtered = activated_depthwise(&self.depthwise, wide, self.stride);
        let y = self.project.forward(filtered, 1, 0);
        if self.is_residual { y + x } else { y }
    }
}

/// EfficientNet-lite0: EfficientNet-B0 (Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
/// Networks", 2019) without squeeze and excitation and with ReLU6, as Google released it for small devices.
///
/// The input is `(x - 127) / 128` of pixels 0..=255;
/// [`Preprocessing::EFFICIENTNET_LITE0`](crate::Preprocessing::EFFICIENTNET_LITE0) makes it. Convolutions pad as
/// TensorFlow's `SAME` does, and batch normalization is folded into them when the weights are loaded.
#[derive(Module, Debug)]
pub struct EfficientNetLite0 {
    stem: Convolution,
    blocks: Vec<InvertedBottleneck>,
    head: Convolution,
    classifier: Linear,
}

/// What [`EfficientNetLite0::forward`] returns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EfficientNetLite0Activations {
    /// Output of each stage, of 16, 24, 40, 80, 112, 192 and 320 channels at 1/2, 1/4, 1/8, 1/16, 1/16, 1/32 and 1/32
    /// of the image's size.
    pub stages: [Tensor<4>; EfficientNetLite0::STAGES],
    /// `[batch, 1280]`: spatial mean of the last convolution's activations.
    pub features: Tensor<2>,
}

impl EfficientNetLite0 {
    /// Length of a feature vector.
    pub const FEATURES: usize = 1280;
    /// Number of stages.
    pub const STAGES: usize = 7;
    /// Side of the images that the network was trained on.
    pub const INPUT_SIZE: usize = 224;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut input = STEM_CHANNELS;
        for stage in &STAGES {
            for repeat in 0..stage.repeats {
                let stride = if repeat == 0 { stage.stride } else { 1 };
                blocks.push(InvertedBottleneck::init(input, stride, stage, device));
                input = stage.channels;
            }
        }
        Self {
            stem: Convolution::init(3, STEM_CHANNELS, 3, device),
            blocks,
            head: Convolution::init(input, Self::FEATURES, 1, device),
            classifier: Linear::init(Self::FEATURES, CLASSES, device),
        }
    }

    /// Loads the weights of the EfficientNet-PyTorch implementations: `_conv_stem`, `_bn0`,
    /// `_blocks.INDEX.{_expand_conv, _bn0, _depthwise_conv, _bn1, _project_conv, _bn2}`, `_conv_head`, `_bn1` and
    /// `_fc`; or those of timm's `tf_efficientnet_lite0`, which are the same under timm's names.
    ///
    /// timm's `efficientnet_lite0.ra_in1k` has these names and shapes too, but pads and normalizes otherwise, so that
    /// its features would be wrong here; nothing in a file of tensors tells which it is.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the model.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        let network = Self::init(device);
        let checkpoint = &*in_common_names(checkpoint);
        let pair = |convolution: &str, normalization: &str| Normalized {
            convolution: convolution.to_owned(),
            normalization: normalization.to_owned(),
        };
        let mut pairs = vec![pair("_conv_stem", "_bn0"), pair("_conv_head", "_bn1")];
        for (index, block) in network.blocks.iter().enumerate() {
            let name = |part: &str| format!("_blocks.{index}.{part}");
            if block.expand.is_some() {
                pairs.push(pair(&name("_expand_conv"), &name("_bn0")));
            }
            pairs.push(pair(&name("_depthwise_conv"), &name("_bn1")));
            pairs.push(pair(&name("_project_conv"), &name("_bn2")));
        }
        let folded = batch_norm::fold(checkpoint, &pairs, NORMALIZATION_EPSILON)?;
        load_module(&network, &folded, key)
    }

    /// Stages and pooled features of `x` `[batch, 3, height, width]`, scaled as described at the type; any size of at
    /// least one pixel.
    ///
    /// # Panics
    /// When `x` has other than 3 channels.
    pub fn forward(&self, x: Tensor<4>) -> EfficientNetLite0Activations {
        #[cfg(feature = "cpu")]
        if x.dims()[0] > 1 && depthwise::is_plain_on_cpu(&x) {
            return self.forward_images(x);
        }
        self.forward_batch(x)
    }

    /// The images of a batch on a thread each: an image's activations stay in the cache between layers, a batch's do
    /// not.
    #[cfg(feature = "cpu")]
    fn forward_images(&self, x: Tensor<4>) -> EfficientNetLite0Activations {
        use rayon::prelude::*;

        let images: Vec<EfficientNetLite0Activations> = x
            .split(1, 0)
            .into_par_iter()
            .map(|image| self.forward_batch(image))
            .collect();
        let stages = std::array::from_fn(|stage| {
            Tensor::cat(images.iter().map(|a| a.stages[stage].clone()).collect(), 0)
        });
        let features = images.into_iter().map(|a| a.features).collect();
        EfficientNetLite0Activations {
            stages,
            features: Tensor::cat(features, 0),
        }
    }

    fn forward_batch(&self, x: Tensor<4>) -> EfficientNetLite0Activations {
        // The first block has no expansion and activates it.
        let mut h = convolve_same(&self.stem, x, 2, 1);
        let mut blocks = self.blocks.iter();
        let stages = STAGES.map(|stage| {
            for block in blocks.by_ref().take(stage.repeats) {
                h = block.forward(h.clone());
            }
            h.clone()
        });
        let features = relu6(self.head.forward(h, 1, 0));
        EfficientNetLite0Activations {
            stages,
            features: spatial_mean(features),
        }
    }

    /// Scores of the 1000 ImageNet classes, `[batch, 1000]`, for `features` `[batch, 1280]`.
    pub fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(features)
    }
}

/// `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn spatial_mean(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width])
        .mean_dim(2)
        .reshape([batch, channels])
}

/// The checkpoint under the names of EfficientNet-PyTorch, where it has timm's.
fn in_common_names(checkpoint: &Checkpoint) -> Cow<'_, Checkpoint> {
    if !checkpoint.tensors().contains_key("conv_stem.weight") {
        return Cow::Borrowed(checkpoint);
    }
    Cow::Owned(checkpoint.rename(|name| Some(common_name(name))))
}

/// timm's `blocks.STAGE.REPEAT.LAYER.PARAMETER` counts blocks by stage, and names convolutions by their kernels. A name
/// that is none of timm's stays.
fn common_name(name: &str) -> String {
    let (module, parameter) = name.rsplit_once('.').unwrap_or(("", name));
    let outer = |module| match module {
        "conv_stem" => Some("_conv_stem"),
        "bn1" => Some("_bn0"),
        "conv_head" => Some("_conv_head"),
        "bn2" => Some("_bn1"),
        "classifier" => Some("_fc"),
        _ => None,
    };
    if let Some(module) = outer(module) {
        return format!("{module}.{parameter}");
    }
    let in_block = || -> Option<String> {
        let mut parts = module.strip_prefix("blocks.")?.splitn(3, '.');
        let stage: usize = parts.next()?.parse().ok()?;
        let repeat: usize = parts.next()?.parse().ok()?;
        let layer = parts.next()?;
        let Stage {
            repeats, expansion, ..
        } = *STAGES.get(stage)?;
        // A deeper network's block must not be taken for the next stage's.
        if repeat >= repeats {
            return None;
        }
        let before: usize = STAGES[..stage].iter().map(|stage| stage.repeats).sum();
        let expands = expansion > 1;
        let layer = match (layer, expands) {
            ("conv_pw", true) => "_expand_conv",
            ("bn1", true) => "_bn0",
            ("conv_dw", _) => "_depthwise_conv",
            ("bn2", true) | ("bn1", false) => "_bn1",
            ("conv_pwl", true) | ("conv_pw", false) => "_project_conv",
            ("bn3", true) | ("bn2", false) => "_bn2",
            _ => return None,
        };
        Some(format!("_blocks.{}.{layer}.{parameter}", before + repeat))
    };
    in_block().unwrap_or_else(|| name.to_owned())
}

fn key(path: &str) -> String {
    let (module, parameter) = path
        .rsplit_once('.')
        .unwrap_or_else(|| panic!("module path {path}: expected MODULE.PARAMETER"));
    let name = |part: &str| match part {
        "stem" => "_conv_stem",
        "head" => "_conv_head",
        "classifier" => "_fc",
        "expand" => "_expand_conv",
        "depthwise" => "_depthwise_conv",
        "project" => "_project_conv",
        other => panic!("module path {path}: no name for {other}"),
    };
    match module
        .strip_prefix("blocks.")
        .and_then(|m| m.split_once('.'))
    {
        Some((index, part)) => format!("_blocks.{index}.{}.{parameter}", name(part)),
        None => format!("{}.{parameter}", name(module)),
    }
}
