use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor};

use crate::convolution::Convolution;
use crate::input_check::check_input;
use crate::max_pool::{Remainder, max_pool};
use crate::torchvision::{self, features_key};

/// Where the convolutions stand in torchvision's `vgg16().features`.
const FEATURES: [usize; 13] = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];

/// Convolutions and channels of the five blocks (configuration D of the paper).
const BLOCKS: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];

/// The convolutions of VGG16 without batch normalization (Simonyan and Zisserman, "Very Deep Convolutional Networks for
/// Large-Scale Image Recognition", 2015).
#[derive(Module, Debug)]
pub struct Vgg16 {
    features: Vec<Convolution>,
}

impl Vgg16 {
    /// Least height and width of an input: one pixel less leaves nothing for the fourth pooling.
    pub const MIN_SIZE: usize = 16;

    /// Channels of the activations at the ends of the five blocks.
    pub const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

    /// Channels of the last activation.
    pub const FEATURES: usize = Self::CHANNELS[4];

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let mut features = Vec::with_capacity(FEATURES.len());
        let mut input = 3;
        for (convolutions, channels) in BLOCKS {
            for _ in 0..convolutions {
                features.push(Convolution::init(input, channels, 3, device));
                input = channels;
            }
        }
        Self { features }
    }

    /// Loads torchvision's `vgg16` weights: `features.INDEX.{weight,bias}` of 13 convolutions, with or without the
    /// classifier.
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

    /// Activations at the end of each block: relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3, of [`Self::CHANNELS`].
    ///
    /// `x` is `[batch, 3, height, width]`, normalized as the weights expect (torchvision: ImageNet mean and standard
    /// deviation). The first activation has the size of `x`, each further one half the size of the one before, rounded
    /// down.
    ///
    /// # Panics
    /// When `x` has other than 3 channels or a side below [`Self::MIN_SIZE`].
    pub fn forward(&self, x: Tensor<4>) -> [Tensor<4>; 5] {
        check_input("VGG16", &x, Self::MIN_SIZE);
        let mut layers = self.features.iter();
        let mut activations = Vec::with_capacity(BLOCKS.len());
        let mut h = x;
        for (block, (convolutions, _)) in BLOCKS.into_iter().enumerate() {
            if block > 0 {
                h = max_pool(h, 2, Remainder::Drop);
            }
            for layer in layers.by_ref().take(convolutions) {
                h = relu(layer.forward(h, 1, 1));
            }
            activations.push(h.clone());
        }
        activations.try_into().expect("one activation a block")
    }
}

fn key(path: &str) -> String {
    features_key(path, &FEATURES)
}
