use burn::tensor::Tensor;

use crate::efficientnet_lite0::spatial_mean;
use crate::{AlexNet, FeatureNetwork, Preprocessing, Vgg16};

/// The spatial means of a network's activations in all five layers that LPIPS compares, one layer behind the other.
///
/// The last layer alone tells objects apart. The first ones tell drawing from drawing: colors, lines and how fine they
/// are. These are the first moments of the statistics by which Huang and Belongie (2017) describe a style.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use backbones::{AlexNet, FeatureExtractor, LayerMeans};
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// // All weights zero; `FeatureNetworkKind::AlexNetLayers` loads them from AlexNet's file.
/// let extractor = FeatureExtractor::new(LayerMeans(AlexNet::init(&device)));
/// assert_eq!(extractor.name(), "alexnet_layers");
/// let features = extractor.features(Tensor::zeros([2, 3, 64, 64], &device));
/// assert_eq!(features.dims(), [2, 64 + 192 + 384 + 256 + 256]);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LayerMeans<N>(
    /// The network.
    pub N,
);

impl FeatureNetwork for LayerMeans<AlexNet> {
    fn name(&self) -> &str {
        "alexnet_layers"
    }

    fn dimension(&self) -> usize {
        AlexNet::CHANNELS.iter().sum()
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            name: "alexnet_layers",
            ..Preprocessing::ALEXNET
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        means(self.0.forward(input))
    }
}

impl FeatureNetwork for LayerMeans<Vgg16> {
    fn name(&self) -> &str {
        "vgg16_layers"
    }

    fn dimension(&self) -> usize {
        Vgg16::CHANNELS.iter().sum()
    }

    fn preprocessing(&self) -> Preprocessing {
        Preprocessing {
            name: "vgg16_layers",
            ..Preprocessing::VGG16
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        means(self.0.forward(input))
    }
}

/// `[batch, channels of all layers]`
fn means(activations: [Tensor<4>; 5]) -> Tensor<2> {
    Tensor::cat(activations.map(spatial_mean).into(), 1)
}
