use backbones::{FeatureExtractor, InceptionV3};
use burn::tensor::{Device, Tensor};
use image_tensor::{RgbImage, from_signed_unit};
use ndarray::Array2;

use crate::FidProtocol;

/// A feature network with the protocol that makes its input from 8-bit images; what features are called follows from
/// both.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use backbones::{EfficientNetLite0, FeatureExtractor, InceptionV3};
/// use burn::tensor::Device;
/// use metrics_fid::{FidProtocol, ImageFeatures};
///
/// let device = Device::flex();
/// // All weights zero; `InceptionV3::load` takes them from a checkpoint.
/// let fid = ImageFeatures::fid(FidProtocol::CleanFid, InceptionV3::init(&device));
/// assert_eq!(fid.distance_name(), "FID (clean-fid)");
/// let other = ImageFeatures::from(FeatureExtractor::new(EfficientNetLite0::init(&device)));
/// assert_eq!(other.distance_name(), "Fréchet distance (efficientnet_lite0)");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ImageFeatures {
    extractor: FeatureExtractor,
    protocol: Option<FidProtocol>,
}

impl From<FeatureExtractor> for ImageFeatures {
    /// Features of any network under its own preprocessing.
    fn from(extractor: FeatureExtractor) -> Self {
        Self {
            extractor,
            protocol: None,
        }
    }
}

impl ImageFeatures {
    /// Inception-v3's `pool3` under a protocol of the Fréchet Inception distance.
    pub fn fid(protocol: FidProtocol, network: InceptionV3) -> Self {
        let extractor = FeatureExtractor::new(network).with_preprocessing(protocol.normalization());
        Self {
            extractor,
            protocol: Some(protocol),
        }
    }

    /// Name of the protocol, or of the preprocessing where there is none.
    pub fn name(&self) -> &'static str {
        self.extractor.preprocessing().name
    }

    /// What a Fréchet distance of these features is to be called: only one under a [`FidProtocol`] is a FID.
    pub fn distance_name(&self) -> String {
        let kind = match self.protocol {
            Some(_) => "FID",
            None => "Fréchet distance",
        };
        format!("{kind} ({})", self.name())
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        self.extractor.dimension()
    }

    /// Features `[images, dimension]` of 8-bit images of any sizes. All images pass the network at once; `device` is
    /// the network's.
    ///
    /// # Panics
    /// When there is no image or one is empty.
    pub fn of_images(&self, images: &[RgbImage], device: &Device) -> Array2<f32> {
        let device = device.clone().without_autodiff();
        let features = match self.protocol {
            Some(protocol) => self.extractor.features(protocol.resized(images, &device)),
            None => self.extractor.image_features(images, &device),
        };
        let [count, dimension] = features.dims();
        let values = features
            .into_data()
            .convert::<f32>()
            .try_to_vec()
            .expect("converted to f32 above");
        Array2::from_shape_vec((count, dimension), values).expect("a row an image")
    }

    /// Features `[batch, dimension]` of images `[batch, 1 or 3, height, width]` in [-1, 1], such as a generator's, on
    /// the network's device.
    ///
    /// They are rounded to 8 bits first, as if they had been written to files: the published protocols compare files.
    ///
    /// # Panics
    /// When there is no image, or the images have other than 1 or 3 channels.
    pub fn of_tensor(&self, images: Tensor<4>) -> Array2<f32> {
        let device = images.device();
        self.of_images(&from_signed_unit(images), &device)
    }
}
