//! What features are compared.

use std::path::Path;

use backbones::{FeatureNetworkKind, InceptionV3};
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use metrics_fid::{FidProtocol, ImageFeatures};
use serde::{Deserialize, Serialize};

use crate::features::{self, WHOLE_EFFICIENTNET_LITE0};
use crate::{Error, Weights};

/// A FID protocol, or a network under its own name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Protocol {
    /// Inception-v3: PyTorch's bilinear resize
    PytorchFid,
    /// Inception-v3: Pillow's bicubic resize
    CleanFid,
    /// Inception-v3: TensorFlow 1's bilinear resize
    TorchFidelity,
    /// ImageNet features of the repository; not a FID
    #[default]
    #[serde(rename = "efficientnet_lite0")]
    #[cfg_attr(feature = "clap", value(name = "efficientnet_lite0"))]
    EfficientnetLite0,
    /// Last convolution of torchvision's AlexNet, spatial mean, in the repository; not a FID
    #[serde(rename = "alexnet")]
    #[cfg_attr(feature = "clap", value(name = "alexnet"))]
    AlexNet,
    /// Last convolution of torchvision's VGG16, spatial mean, in the repository; not a FID
    #[serde(rename = "vgg16")]
    #[cfg_attr(feature = "clap", value(name = "vgg16"))]
    Vgg16,
    /// Image embeddings of CLIP; not a FID
    #[serde(rename = "clip_vit_b32")]
    #[cfg_attr(feature = "clap", value(name = "clip_vit_b32"))]
    ClipVitB32,
    /// Class tokens of DINO; not a FID
    #[serde(rename = "dino_vit_b16")]
    #[cfg_attr(feature = "clap", value(name = "dino_vit_b16"))]
    DinoVitB16,
}

impl Protocol {
    /// Loads the network from `file`, or from the weights folder where it has it.
    ///
    /// # Errors
    ///
    /// Its weights are nowhere, or are those of another network.
    pub fn load(
        self,
        file: Option<&Path>,
        weights: Option<&Path>,
        device: &Device,
    ) -> Result<ImageFeatures, Error> {
        let path = match (file, self.embedded()) {
            (Some(file), _) => file.to_owned(),
            (None, Some(kind)) => features::embedded(kind, &Weights::open(weights)?)?,
            (None, None) => return Err(self.weights_needed()),
        };
        let checkpoint = Checkpoint::open(&path)?;
        let fid = |protocol| -> Result<ImageFeatures, Error> {
            Ok(ImageFeatures::fid(
                protocol,
                InceptionV3::load(&checkpoint, device)?,
            ))
        };
        // What a generator makes at the margins counts too.
        let whole = |kind: FeatureNetworkKind, name| -> Result<ImageFeatures, Error> {
            let extractor = kind.load(&checkpoint, device)?;
            let side = extractor.preprocessing().crop;
            Ok(features::whole_picture(extractor, name, side).into())
        };
        match self {
            Self::PytorchFid => fid(FidProtocol::PytorchFid),
            Self::CleanFid => fid(FidProtocol::CleanFid),
            Self::TorchFidelity => fid(FidProtocol::TorchFidelity),
            Self::EfficientnetLite0 => whole(
                FeatureNetworkKind::EfficientNetLite0,
                WHOLE_EFFICIENTNET_LITE0,
            ),
            Self::AlexNet => whole(FeatureNetworkKind::AlexNet, "alexnet, whole picture"),
            Self::Vgg16 => whole(FeatureNetworkKind::Vgg16, "vgg16, whole picture"),
            Self::ClipVitB32 => whole(
                FeatureNetworkKind::ClipVitB32,
                "clip_vit_b32, whole picture",
            ),
            Self::DinoVitB16 => whole(
                FeatureNetworkKind::DinoVitB16,
                "dino_vit_b16, whole picture",
            ),
        }
    }

    /// The network, where the repository has its weights.
    fn embedded(self) -> Option<FeatureNetworkKind> {
        match self {
            Self::EfficientnetLite0 => Some(FeatureNetworkKind::EfficientNetLite0),
            Self::AlexNet => Some(FeatureNetworkKind::AlexNet),
            Self::Vgg16 => Some(FeatureNetworkKind::Vgg16),
            _ => None,
        }
    }

    /// As it is written in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::PytorchFid => "pytorch-fid",
            Self::CleanFid => "clean-fid",
            Self::TorchFidelity => "torch-fidelity",
            Self::EfficientnetLite0 => "efficientnet_lite0",
            Self::AlexNet => "alexnet",
            Self::Vgg16 => "vgg16",
            Self::ClipVitB32 => "clip_vit_b32",
            Self::DinoVitB16 => "dino_vit_b16",
        }
    }

    fn weights_needed(self) -> Error {
        let file = match self {
            Self::ClipVitB32 => "OpenAI's ViT-B-32.pt",
            Self::DinoVitB16 => "DINO's dino_vitbase16_pretrain.pth",
            _ => "pt_inception-2015-12-05-6726825d.pth",
        };
        Error::option(
            "protocol",
            self.name(),
            format!(
                "the repository has no weights of this network; name the file ({file}) as features"
            ),
        )
    }
}
