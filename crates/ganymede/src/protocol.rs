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
        let network = self.network();
        let path = match file {
            Some(file) => file.to_owned(),
            None => features::embedded(network, &Weights::open(weights)?)?,
        };
        let checkpoint = Checkpoint::open(&path)?;
        let fid = |protocol| -> Result<ImageFeatures, Error> {
            Ok(ImageFeatures::fid(
                protocol,
                InceptionV3::load(&checkpoint, device)?,
            ))
        };
        // What a generator makes at the margins counts too.
        let whole = |name| -> Result<ImageFeatures, Error> {
            let extractor = network.load(&checkpoint, device)?;
            let side = extractor.preprocessing().crop;
            Ok(features::whole_picture(extractor, name, side).into())
        };
        match self {
            Self::PytorchFid => fid(FidProtocol::PytorchFid),
            Self::CleanFid => fid(FidProtocol::CleanFid),
            Self::TorchFidelity => fid(FidProtocol::TorchFidelity),
            Self::EfficientnetLite0 => whole(WHOLE_EFFICIENTNET_LITE0),
            Self::AlexNet => whole("alexnet, whole picture"),
            Self::Vgg16 => whole("vgg16, whole picture"),
            Self::ClipVitB32 => whole("clip_vit_b32, whole picture"),
            Self::DinoVitB16 => whole("dino_vit_b16, whole picture"),
        }
    }

    /// The network that is run.
    fn network(self) -> FeatureNetworkKind {
        match self {
            Self::PytorchFid | Self::CleanFid | Self::TorchFidelity => {
                FeatureNetworkKind::InceptionV3Fid
            }
            Self::EfficientnetLite0 => FeatureNetworkKind::EfficientNetLite0,
            Self::AlexNet => FeatureNetworkKind::AlexNet,
            Self::Vgg16 => FeatureNetworkKind::Vgg16,
            Self::ClipVitB32 => FeatureNetworkKind::ClipVitB32,
            Self::DinoVitB16 => FeatureNetworkKind::DinoVitB16,
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
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_missing_are_asked_for_by_name_and_found_in_the_weights_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("features")).unwrap();
        let load = |protocol: Protocol| {
            let loaded = protocol.load(None, Some(folder.path()), &Device::flex());
            loaded.err().unwrap().to_string()
        };
        for (protocol, file) in [
            (Protocol::CleanFid, "pt_inception-2015-12-05-6726825d.pth"),
            (Protocol::ClipVitB32, "ViT-B-32.pt"),
            (Protocol::DinoVitB16, "dino_vitbase16_pretrain.pth"),
        ] {
            let message = load(protocol);
            assert!(message.contains(file), "{message}");
            assert!(message.contains("missing"), "{message}");
            // No longer missing, and looked into.
            std::fs::write(folder.path().join("features").join(file), "no weights").unwrap();
            let message = load(protocol);
            assert!(
                !message.contains("missing") && message.contains(file),
                "{message}"
            );
        }
    }
}
