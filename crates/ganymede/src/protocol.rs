//! What features are compared.

use std::path::Path;

use backbones::{FeatureNetworkKind, InceptionV3};
use burn::tensor::Device;
use checkpoint::Checkpoint;
use clap::ValueEnum;
use metrics_fid::{FidProtocol, ImageFeatures};

use crate::Failure;
use ganymede::Weights;
use ganymede::features::{self, WHOLE_EFFICIENTNET_LITE0};

/// A FID protocol, or a network under its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Inception-v3: PyTorch's bilinear resize
    PytorchFid,
    /// Inception-v3: Pillow's bicubic resize
    CleanFid,
    /// Inception-v3: TensorFlow 1's bilinear resize
    TorchFidelity,
    /// ImageNet features of the repository; not a FID
    #[value(name = "efficientnet_lite0")]
    EfficientnetLite0,
    /// Last convolution of torchvision's AlexNet, spatial mean, in the repository; not a FID
    #[value(name = "alexnet")]
    AlexNet,
    /// Last convolution of torchvision's VGG16, spatial mean, in the repository; not a FID
    #[value(name = "vgg16")]
    Vgg16,
    /// Image embeddings of CLIP; not a FID
    #[value(name = "clip_vit_b32")]
    ClipVitB32,
    /// Class tokens of DINO; not a FID
    #[value(name = "dino_vit_b16")]
    DinoVitB16,
}

impl Protocol {
    /// Loads the network from `file`, or from the weights folder where it has it.
    pub fn load(
        self,
        file: Option<&Path>,
        weights: Option<&Path>,
        device: &Device,
    ) -> Result<ImageFeatures, Failure> {
        let path = match (file, self.embedded()) {
            (Some(file), _) => file.to_owned(),
            (None, Some(kind)) => features::embedded(kind, &Weights::open(weights)?),
            (None, None) => return Err(self.weights_needed()),
        };
        let checkpoint = Checkpoint::open(&path)?;
        let fid = |protocol| -> Result<ImageFeatures, Failure> {
            Ok(ImageFeatures::fid(
                protocol,
                InceptionV3::load(&checkpoint, device)?,
            ))
        };
        // What a generator makes at the margins counts too.
        let whole = |kind: FeatureNetworkKind, name| -> Result<ImageFeatures, Failure> {
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

    /// The name on the command line.
    pub fn value_name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn weights_needed(self) -> Failure {
        let file = match self {
            Self::ClipVitB32 => "OpenAI's ViT-B-32.pt",
            Self::DinoVitB16 => "DINO's dino_vitbase16_pretrain.pth",
            _ => "pt_inception-2015-12-05-6726825d.pth",
        };
        format!(
            "--protocol {}: the repository has no weights of this network; name the file ({file}) with --features",
            self.value_name()
        )
        .into()
    }
}
