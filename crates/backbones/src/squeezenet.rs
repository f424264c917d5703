use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor};

use crate::convolution::Convolution;
use crate::input_check::check_input;
use crate::max_pool::{Remainder, max_pool};
use crate::torchvision::{self, features_key};

/// Where the fire modules stand in torchvision's `squeezenet1_1().features`.
const FIRES: [usize; 8] = [3, 4, 6, 7, 9, 10, 11, 12];

/// A fire module: a 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side.
#[derive(Module, Debug)]
struct Fire {
    squeeze: Convolution,
    expand1x1: Convolution,
    expand3x3: Convolution,
}

impl Fire {
    fn init(input: usize, squeeze: usize, expand: usize, device: &Device) -> Self {
        Self {
            squeeze: Convolution::init(input, squeeze, 1, device),
            expand1x1: Convolution::init(squeeze, expand, 1, device),
            expand3x3: Convolution::init(squeeze, expand, 3, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let squeezed = relu(self.squeeze.forward(x, 1, 0));
        let by_1x1 = self.expand1x1.forward(squeezed.clone(), 1, 0);
        let by_3x3 = self.expand3x3.forward(squeezed, 1, 1);
        relu(Tensor::cat(vec![by_1x1, by_3x3], 1))
    }
}

/// The convolutions of SqueezeNet 1.1 (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
/// 2016).
#[derive(Module, Debug)]
pub struct SqueezeNet {
    conv1: Convolution,
    fires: Vec<Fire>,
}

impl SqueezeNet {
    /// Least height and width of an input: one pixel less leaves nothing for the third pooling.
    pub const MIN_SIZE: usize = 17;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        // (in, squeeze, expand); a fire module puts out 2 expand channels
        let fires = [
            (64, 16, 64),
            (128, 16, 64),
            (128, 32, 128),
            (256, 32, 128),
            (256, 48, 192),
            (384, 48, 192),
            (384, 64, 256),
            (512, 64, 256),
        ];
        Self {
            conv1: Convolution::init(3, 64, 3, device),
            fires: fires
                .map(|(input, squeeze, expand)| Fire::init(input, squeeze, expand, device))
                .into(),
        }
    }

    /// Loads torchvision's `squeezenet1_1` weights: `features.0.{weight,bias}` and
    /// `features.INDEX.{squeeze,expand1x1,expand3x3}.{weight,bias}` of eight fire modules, with or without the
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

    /// The seven activations that LPIPS compares: the first ReLU, and fire modules 2, 4, 5, 6, 7 and 8; 64, 128, 256,
    /// 384, 384, 512 and 512 channels.
    ///
    /// `x` is `[batch, 3, height, width]`, normalized as the weights expect (torchvision: ImageNet mean and standard
    /// deviation). A side of n pixels gives ⌊(n - 3) / 2⌋ + 1 in the first activation; each pooling, before fire
    /// modules 1, 3 and 5, maps m to ⌈(m - 3) / 2⌉ + 1.
    ///
    /// # Panics
    /// When `x` has other than 3 channels or a side below [`Self::MIN_SIZE`].
    pub fn forward(&self, x: Tensor<4>) -> [Tensor<4>; 7] {
        check_input("SqueezeNet-1.1", &x, Self::MIN_SIZE);
        let [fire1, fire2, fire3, fire4, fire5, fire6, fire7, fire8] = &self.fires[..] else {
            unreachable!("init makes eight fire modules")
        };
        let pool = |x: &Tensor<4>| max_pool(x.clone(), 3, Remainder::Keep);
        let relu1 = relu(self.conv1.forward(x, 2, 0));
        let relu2 = fire2.forward(fire1.forward(pool(&relu1)));
        let relu3 = fire4.forward(fire3.forward(pool(&relu2)));
        let relu4 = fire5.forward(pool(&relu3));
        let relu5 = fire6.forward(relu4.clone());
        let relu6 = fire7.forward(relu5.clone());
        let relu7 = fire8.forward(relu6.clone());
        [relu1, relu2, relu3, relu4, relu5, relu6, relu7]
    }
}

fn key(path: &str) -> String {
    match path.strip_prefix("conv1.") {
        Some(name) => format!("features.0.{name}"),
        None => features_key(path, &FIRES),
    }
}
