mod blocks;

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};

use crate::batch_norm::{self, Normalized};
use crate::efficientnet_lite0::spatial_mean;
use crate::max_pool::{Remainder, max_pool};
use blocks::{
    ConvRelu, FactorizedBlock, FirstReduction, FivesBlock, LastBlock, LastPooling, SecondReduction,
};

/// Added to the variances, as in TensorFlow-slim and torchvision.
const NORMALIZATION_EPSILON: f64 = 1e-3;
/// Parts of files that the features do not pass: the classifier, and torchvision's auxiliary one.
const CLASSIFIERS: [&str; 2] = ["fc.", "AuxLogits."];

/// Inception-v3 (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016) in the form whose
/// features define the Fréchet Inception distance: the network of TensorFlow's `inception-2015-12-05` archive.
///
/// Differs from torchvision's network in the pooling branches: averages leave out the padding, and the last block takes
/// the maximum in place of the average.
///
/// Batch normalization is folded into the convolutions when the weights are loaded.
#[derive(Module, Debug)]
pub struct InceptionV3 {
    conv2d_1a_3x3: ConvRelu,
    conv2d_2a_3x3: ConvRelu,
    conv2d_2b_3x3: ConvRelu,
    conv2d_3b_1x1: ConvRelu,
    conv2d_4a_3x3: ConvRelu,
    mixed_5b: FivesBlock,
    mixed_5c: FivesBlock,
    mixed_5d: FivesBlock,
    mixed_6a: FirstReduction,
    mixed_6b: FactorizedBlock,
    mixed_6c: FactorizedBlock,
    mixed_6d: FactorizedBlock,
    mixed_6e: FactorizedBlock,
    mixed_7a: SecondReduction,
    mixed_7b: LastBlock,
    mixed_7c: LastBlock,
}

/// What [`InceptionV3::forward`] returns: the four outputs that pytorch-fid offers under their lengths 64, 192, 768 and
/// 2048.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InceptionV3Activations {
    /// After the first max pooling, `[batch, 64, 73, 73]` for an input of 299 pixels.
    pub block0: Tensor<4>,
    /// After the second max pooling, `[batch, 192, 35, 35]`.
    pub block1: Tensor<4>,
    /// Before the auxiliary classifier, `[batch, 768, 17, 17]`.
    pub block2: Tensor<4>,
    /// `[batch, 2048]`: the last block's spatial mean, the features of the Fréchet Inception distance.
    pub pool3: Tensor<2>,
}

impl InceptionV3 {
    /// Length of a feature vector.
    pub const FEATURES: usize = 2048;
    /// Side of the images that the network was trained on.
    pub const INPUT_SIZE: usize = 299;
    /// Least height and width of an input: one pixel less leaves nothing for the last reduction.
    pub const MIN_SIZE: usize = 75;

    /// The network with all weights zero.
    pub fn init(device: &Device) -> Self {
        let plain = |input, output, kernel| ConvRelu::init(input, output, [kernel; 2], device);
        Self {
            conv2d_1a_3x3: plain(3, 32, 3).with_stride(2),
            conv2d_2a_3x3: plain(32, 32, 3),
            conv2d_2b_3x3: plain(32, 64, 3).padded(),
            conv2d_3b_1x1: plain(64, 80, 1),
            conv2d_4a_3x3: plain(80, 192, 3),
            mixed_5b: FivesBlock::init(192, 32, device),
            mixed_5c: FivesBlock::init(256, 64, device),
            mixed_5d: FivesBlock::init(288, 64, device),
            mixed_6a: FirstReduction::init(288, device),
            mixed_6b: FactorizedBlock::init(768, 128, device),
            mixed_6c: FactorizedBlock::init(768, 160, device),
            mixed_6d: FactorizedBlock::init(768, 160, device),
            mixed_6e: FactorizedBlock::init(768, 192, device),
            mixed_7a: SecondReduction::init(768, device),
            mixed_7b: LastBlock::init(1280, device),
            mixed_7c: LastBlock::init(2048, device),
        }
    }

    /// Loads weights under the names of torchvision's `inception_v3`, which pytorch-fid's `pt_inception-2015-12-05`
    /// file shares: `Conv2d_1a_3x3.{conv.weight, bn.*}`, `Mixed_5b.branch1x1.{conv.weight, bn.*}` and so on, with or
    /// without the classifiers.
    ///
    /// The names do not tell the two sets of weights apart. Only those of the 2015 archive give Fréchet Inception
    /// distances that can be compared with published ones; torchvision's own ImageNet weights load too.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or not part of the model.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, CheckpointError> {
        let network = Self::init(device);
        let features = checkpoint.rename(|name| {
            let is_classifier = CLASSIFIERS.iter().any(|prefix| name.starts_with(prefix));
            (!is_classifier).then(|| name.to_owned())
        });
        let pairs: Vec<Normalized> = features
            .tensors()
            .keys()
            .filter_map(|name| name.strip_suffix(".conv.weight"))
            .map(|module| Normalized {
                convolution: format!("{module}.conv"),
                normalization: format!("{module}.bn"),
            })
            .collect();
        let folded = batch_norm::fold(&features, &pairs, NORMALIZATION_EPSILON)?;
        load_module(&network, &folded, key)
    }

    /// Activations of `x` `[batch, 3, height, width]` in [-1, 1], in the reference 299 pixels a side;
    /// [`Preprocessing::INCEPTION_V3_FID`](crate::Preprocessing::INCEPTION_V3_FID) makes it.
    ///
    /// # Panics
    /// When `x` has other than 3 channels or a side below [`Self::MIN_SIZE`].
    pub fn forward(&self, x: Tensor<4>) -> InceptionV3Activations {
        let [_, _, height, width] = x.dims();
        assert!(
            height >= Self::MIN_SIZE && width >= Self::MIN_SIZE,
            "Inception-v3 needs at least {0} x {0} pixels, found {height} x {width}",
            Self::MIN_SIZE
        );
        let h = self.conv2d_1a_3x3.forward(x);
        let h = self.conv2d_2a_3x3.forward(h);
        let h = self.conv2d_2b_3x3.forward(h);
        let block0 = max_pool(h, 3, Remainder::Drop);
        let h = self.conv2d_3b_1x1.forward(block0.clone());
        let h = self.conv2d_4a_3x3.forward(h);
        let block1 = max_pool(h, 3, Remainder::Drop);
        let mut h = block1.clone();
        for block in [&self.mixed_5b, &self.mixed_5c, &self.mixed_5d] {
            h = block.forward(h);
        }
        h = self.mixed_6a.forward(h);
        for block in [
            &self.mixed_6b,
            &self.mixed_6c,
            &self.mixed_6d,
            &self.mixed_6e,
        ] {
            h = block.forward(h);
        }
        let block2 = h;
        let h = self.mixed_7a.forward(block2.clone());
        let h = self.mixed_7b.forward(h, LastPooling::Average);
        let h = self.mixed_7c.forward(h, LastPooling::Maximum);
        InceptionV3Activations {
            block0,
            block1,
            block2,
            pool3: spatial_mean(h),
        }
    }
}

/// `mixed_5b.branch1x1` is `Mixed_5b.branch1x1` in files.
fn capitalized(path: &str) -> String {
    let mut letters = path.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn key(path: &str) -> String {
    capitalized(&path.replace(".convolution.", ".conv."))
}
