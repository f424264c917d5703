use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor};

use crate::convolution::Convolution;
use crate::input_check::check_input;
use crate::max_pool::{Remainder, max_pool};
use crate::torchvision::{self, features_key};

/// Where the convolutions stand in torchvision's `alexnet().features`.
const FEATURES: [usize; 5] = [0, 3, 6, 8, 10];

/// The convolutions of torchvision's AlexNet (Krizhevsky, "One weird trick for parallelizing convolutional neural
/// networks", 2014).
#[derive(Module, Debug)]
pub struct AlexNet {
    features: Vec<Convolution>,
}

impl AlexNet {
    /// Least height and width of an input: one pixel less leaves nothing for the second pooling.
    pub const MIN_SIZE: usize = 31;

    /// Channels of the five activations.
    pub const CHANNELS: [usize; 5] = [64, 192, 384, 256, 256];

    /// Channels of the last activation.
    pub const FEATURES: usize = Self::CHANNELS[4];

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        // (in, out, kernel)
        let shapes = [
            (3, 64, 11),
            (64, 192, 5),
            (192, 384, 3),
            (384, 256, 3),
            (256, 256, 3),
        ];
        Self {
            features: shapes
                .map(|(input, output, kernel)| Convolution::init(input, output, kernel, device))
                .into(),
        }
    }

    /// Loads torchvision's `alexnet` weights: `features.{0,3,6,8,10}.{weight,bias}`, with or without the classifier.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the model.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        torchvision::load(&Self::init(device), checkpoint, key)
    }

    /// The weights under torchvision's keys.
    pub fn tensors(&self) -> BTreeMap<String, StoredTensor> {
        torchvision::tensors(self, key)
    }

    /// Activations after each of the five ReLUs, of [`Self::CHANNELS`].
    ///
    /// `x` is `[batch, 3, height, width]`, normalized as the weights expect (torchvision: ImageNet mean and standard
    /// deviation). A side of n pixels gives ⌊(n - 7) / 4⌋ + 1 in the first layer; each of the two poolings, before the
    /// second and the third, maps m to ⌊(m - 3) / 2⌋ + 1.
    ///
    /// # Panics
    /// When `x` has other than 3 channels or a side below [`Self::MIN_SIZE`].
    pub fn forward(&self, x: Tensor<4>) -> [Tensor<4>; 5] {
        check_input("AlexNet", &x, Self::MIN_SIZE);
        let [conv1, conv2, conv3, conv4, conv5] = &self.features[..] else {
            unreachable!("init makes five convolutions")
        };
        let pool = |x: &Tensor<4>| max_pool(x.clone(), 3, Remainder::Drop);
        let relu1 = relu(conv1.forward(x, 4, 2));
        let relu2 = relu(conv2.forward(pool(&relu1), 1, 2));
        let relu3 = relu(conv3.forward(pool(&relu2), 1, 1));
        let relu4 = relu(conv4.forward(relu3.clone(), 1, 1));
        let relu5 = relu(conv5.forward(relu4.clone(), 1, 1));
        [relu1, relu2, relu3, relu4, relu5]
    }
}

fn key(path: &str) -> String {
    features_key(path, &FEATURES)
}
