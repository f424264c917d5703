use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use checkpoint_file::Checkpoint;
use image_tensor::RgbImage;

use crate::efficientnet_lite0::spatial_mean;
use crate::{
    AlexNet, BackbonesError, ClipImage, DinoVitB16, EfficientNetLite0, InceptionV3, LayerMeans,
    Preprocessing, PublishedWeights, Vgg16,
};

/// A network that gives every image one vector.
pub trait FeatureNetwork: fmt::Debug + Send + Sync {
    /// Name under which features of this network are recorded.
    fn name(&self) -> &str;

    /// Length of a feature vector.
    fn dimension(&self) -> usize;

    /// How its input is made from images, as published.
    fn preprocessing(&self) -> Preprocessing;

    /// Features `[batch, dimension]` of the input that the preprocessing makes, `[batch, 3, crop, crop]`;
    /// differentiable in the input.
    fn forward(&self, input: Tensor<4>) -> Tensor<2>;
}

impl FeatureNetwork for EfficientNetLite0 {
    fn name(&self) -> &str {
        "efficientnet_lite0"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::EFFICIENTNET_LITE0
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        Self::forward(self, input).features
    }
}

impl FeatureNetwork for ClipImage {
    fn name(&self) -> &str {
        "clip_vit_b32"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::CLIP_VIT_B32
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        Self::forward(self, input).embedding
    }
}

impl FeatureNetwork for DinoVitB16 {
    fn name(&self) -> &str {
        "dino_vit_b16"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::DINO_VIT_B16
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        Self::forward(self, input).embedding
    }
}

impl FeatureNetwork for InceptionV3 {
    fn name(&self) -> &str {
        "inception_v3_fid"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::INCEPTION_V3_FID
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        Self::forward(self, input).pool3
    }
}

impl FeatureNetwork for AlexNet {
    fn name(&self) -> &str {
        "alexnet"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::ALEXNET
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let [.., relu5] = Self::forward(self, input);
        spatial_mean(relu5)
    }
}

impl FeatureNetwork for Vgg16 {
    fn name(&self) -> &str {
        "vgg16"
    }

    fn dimension(&self) -> usize {
        Self::FEATURES
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing::VGG16
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        let [.., relu5_3] = Self::forward(self, input);
        spatial_mean(relu5_3)
    }
}

/// The feature networks of this crate, by the names that [`fmt::Display`] writes and [`FromStr`] reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeatureNetworkKind {
    /// `efficientnet_lite0`: 1280 pooled features.
    #[default]
    EfficientNetLite0,
    /// `clip_vit_b32`: the image tower's embedding of 512 numbers.
    ClipVitB32,
    /// `dino_vit_b16`: the class token's 768 numbers.
    DinoVitB16,
    /// `inception_v3_fid`: the 2048 numbers of `pool3`.
    InceptionV3Fid,
    /// `alexnet`: the spatial mean of the last convolution's 256 activations.
    AlexNet,
    /// `vgg16`: the spatial mean of the last convolution's 512 activations.
    Vgg16,
    /// `alexnet_layers`: the 1152 spatial means of all five activations of AlexNet, [`LayerMeans`].
    AlexNetLayers,
    /// `vgg16_layers`: the 1472 spatial means of the activations at the ends of VGG16's five blocks, [`LayerMeans`].
    Vgg16Layers,
}

impl FeatureNetworkKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::EfficientNetLite0,
        Self::ClipVitB32,
        Self::DinoVitB16,
        Self::InceptionV3Fid,
        Self::AlexNet,
        Self::Vgg16,
        Self::AlexNetLayers,
        Self::Vgg16Layers,
    ];

    /// The file of its weights.
    pub fn published_weights(self) -> PublishedWeights {
        match self {
            Self::EfficientNetLite0 => PublishedWeights::EFFICIENTNET_LITE0,
            Self::ClipVitB32 => PublishedWeights::CLIP_VIT_B32,
            Self::DinoVitB16 => PublishedWeights::DINO_VIT_B16,
            Self::InceptionV3Fid => PublishedWeights::INCEPTION_V3_FID,
            Self::AlexNet | Self::AlexNetLayers => PublishedWeights::ALEXNET,
            Self::Vgg16 | Self::Vgg16Layers => PublishedWeights::VGG16,
        }
    }

    /// Loads the network with its published preprocessing; each network's `load` says which files it reads.
    ///
    /// # Errors
    /// When the weights do not fit.
    pub fn load(
        self,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<FeatureExtractor, BackbonesError> {
        Ok(match self {
            Self::EfficientNetLite0 => {
                FeatureExtractor::new(EfficientNetLite0::load(checkpoint, device)?)
            }
            Self::ClipVitB32 => FeatureExtractor::new(ClipImage::load(checkpoint, device)?),
            Self::DinoVitB16 => FeatureExtractor::new(DinoVitB16::load(checkpoint, device)?),
            Self::InceptionV3Fid => FeatureExtractor::new(InceptionV3::load(checkpoint, device)?),
            Self::AlexNet => FeatureExtractor::new(AlexNet::load(checkpoint, device)?),
            Self::Vgg16 => FeatureExtractor::new(Vgg16::load(checkpoint, device)?),
            Self::AlexNetLayers => {
                FeatureExtractor::new(LayerMeans(AlexNet::load(checkpoint, device)?))
            }
            Self::Vgg16Layers => {
                FeatureExtractor::new(LayerMeans(Vgg16::load(checkpoint, device)?))
            }
        })
    }
}

impl fmt::Display for FeatureNetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EfficientNetLite0 => "efficientnet_lite0",
            Self::ClipVitB32 => "clip_vit_b32",
            Self::DinoVitB16 => "dino_vit_b16",
            Self::InceptionV3Fid => "inception_v3_fid",
            Self::AlexNet => "alexnet",
            Self::Vgg16 => "vgg16",
            Self::AlexNetLayers => "alexnet_layers",
            Self::Vgg16Layers => "vgg16_layers",
        })
    }
}

impl FromStr for FeatureNetworkKind {
    type Err = BackbonesError;

    fn from_str(name: &str) -> Result<Self, BackbonesError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == name)
            .ok_or_else(|| BackbonesError::UnknownNetwork {
                found: name.to_owned(),
            })
    }
}

/// A feature network with the preprocessing of its input: images in, one vector each out.
///
/// Clones share the network.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use backbones::{EfficientNetLite0, FeatureExtractor};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// // All weights zero; `FeatureNetworkKind::load` takes them from a checkpoint.
/// let extractor = FeatureExtractor::new(EfficientNetLite0::init(&device));
/// let features = extractor.features(Tensor::zeros([1, 3, 64, 64], &device));
/// assert_eq!(features.dims(), [1, extractor.dimension()]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FeatureExtractor {
    network: Arc<dyn FeatureNetwork>,
    preprocessing: Preprocessing,
}

impl FeatureExtractor {
    /// A network with its published preprocessing.
    pub fn new(network: impl FeatureNetwork + 'static) -> Self {
        Self {
            preprocessing: network.preprocessing(),
            network: Arc::new(network),
        }
    }

    /// The same network behind another preprocessing.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.preprocessing = preprocessing;
        self
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        self.network.name()
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.network.dimension()
    }

    /// How the network's input is made.
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }

    /// Features `[batch, dimension]` of images `[batch, 3, height, width]` in [-1, 1] of any size, differentiable in
    /// the images.
    ///
    /// # Panics
    /// As [`Preprocessing::tensor`].
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.forward(self.preprocessing.tensor(images))
    }

    /// Features `[images, dimension]` of 8-bit images of any sizes, resized as Pillow does where the preprocessing says
    /// so. `device` is the network's. All images pass the network at once, so the caller chooses the batch.
    ///
    /// # Panics
    /// As [`Preprocessing::images`].
    pub fn image_features(&self, images: &[RgbImage], device: &Device) -> Tensor<2> {
        self.network
            .forward(self.preprocessing.images(images, device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in FeatureNetworkKind::ALL {
            assert_eq!(
                kind.to_string().parse::<FeatureNetworkKind>().ok(),
                Some(kind)
            );
        }
        let error = "resnet"
            .parse::<FeatureNetworkKind>()
            .expect_err("no such network");
        assert!(error.to_string().contains("resnet"), "{error}");
    }
}
