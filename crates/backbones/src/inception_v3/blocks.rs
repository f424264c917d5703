//! The blocks of Inception-v3, by their figures in the paper. Field names are those of torchvision's modules.

use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use stylegan2_ops::Conv2d;

use super::{Device, Module, Remainder, Tensor, max_pool, relu};
use crate::convolution::Convolution;

/// A convolution and a ReLU.
#[derive(Module, Debug)]
pub(super) struct ConvRelu {
    convolution: Convolution,
    stride: usize,
    padding: [usize; 2],
}

impl ConvRelu {
    /// Stride 1, no padding.
    pub fn init(input: usize, output: usize, [height, width]: [usize; 2], device: &Device) -> Self {
        Self {
            convolution: Convolution::init_shape([output, input, height, width], device),
            stride: 1,
            padding: [0, 0],
        }
    }

    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// With the padding that keeps the size.
    pub fn padded(mut self) -> Self {
        self.padding = self.convolution.kernel().map(|size| size / 2);
        self
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.linear(x))
    }

    /// Without the ReLU.
    fn linear(&self, x: Tensor<4>) -> Tensor<4> {
        let options = Conv2d {
            stride: [self.stride; 2],
            padding: self.padding,
            ..Conv2d::default()
        };
        self.convolution.forward_with(x, options)
    }
}

/// The mean of the 3x3 neighborhood, of those pixels that exist.
fn average_neighbors(x: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions::new([3; 2])
        .with_stride([1; 2])
        .with_padding([1; 2])
        .with_count_include_pad(false);
    avg_pool2d(x, options)
}

/// An average pooling and a 1x1 convolution behind it, in the other order: both are linear and an average keeps the
/// bias, and after the convolution there are many times fewer channels to average.
fn averaged(branch: &ConvRelu, x: Tensor<4>) -> Tensor<4> {
    relu(average_neighbors(branch.linear(x)))
}

/// Figure 5, with one 5x5 convolution left (torchvision's `InceptionA`).
#[derive(Module, Debug)]
pub(super) struct FivesBlock {
    branch1x1: ConvRelu,
    branch5x5_1: ConvRelu,
    branch5x5_2: ConvRelu,
    branch3x3dbl_1: ConvRelu,
    branch3x3dbl_2: ConvRelu,
    branch3x3dbl_3: ConvRelu,
    branch_pool: ConvRelu,
}

impl FivesBlock {
    pub fn init(input: usize, pooled: usize, device: &Device) -> Self {
        let conv =
            |input, output, kernel| ConvRelu::init(input, output, [kernel; 2], device).padded();
        Self {
            branch1x1: conv(input, 64, 1),
            branch5x5_1: conv(input, 48, 1),
            branch5x5_2: conv(48, 64, 5),
            branch3x3dbl_1: conv(input, 64, 1),
            branch3x3dbl_2: conv(64, 96, 3),
            branch3x3dbl_3: conv(96, 96, 3),
            branch_pool: conv(input, pooled, 1),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let fives = self
            .branch5x5_2
            .forward(self.branch5x5_1.forward(x.clone()));
        let threes = self.branch3x3dbl_1.forward(x.clone());
        let threes = self
            .branch3x3dbl_3
            .forward(self.branch3x3dbl_2.forward(threes));
        let pooled = averaged(&self.branch_pool, x.clone());
        Tensor::cat(vec![self.branch1x1.forward(x), fives, threes, pooled], 1)
    }
}

/// Figure 10 from 35 to 17 pixels (torchvision's `InceptionB`).
#[derive(Module, Debug)]
pub(super) struct FirstReduction {
    branch3x3: ConvRelu,
    branch3x3dbl_1: ConvRelu,
    branch3x3dbl_2: ConvRelu,
    branch3x3dbl_3: ConvRelu,
}

impl FirstReduction {
    pub fn init(input: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| ConvRelu::init(input, output, [kernel; 2], device);
        Self {
            branch3x3: conv(input, 384, 3).with_stride(2),
            branch3x3dbl_1: conv(input, 64, 1),
            branch3x3dbl_2: conv(64, 96, 3).padded(),
            branch3x3dbl_3: conv(96, 96, 3).with_stride(2),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let threes = self.branch3x3dbl_1.forward(x.clone());
        let threes = self
            .branch3x3dbl_3
            .forward(self.branch3x3dbl_2.forward(threes));
        let pooled = max_pool(x.clone(), 3, Remainder::Drop);
        Tensor::cat(vec![self.branch3x3.forward(x), threes, pooled], 1)
    }
}

/// Figure 6: 7x7 convolutions as pairs of 1x7 and 7x1 (torchvision's `InceptionC`).
#[derive(Module, Debug)]
pub(super) struct FactorizedBlock {
    branch1x1: ConvRelu,
    branch7x7_1: ConvRelu,
    branch7x7_2: ConvRelu,
    branch7x7_3: ConvRelu,
    branch7x7dbl_1: ConvRelu,
    branch7x7dbl_2: ConvRelu,
    branch7x7dbl_3: ConvRelu,
    branch7x7dbl_4: ConvRelu,
    branch7x7dbl_5: ConvRelu,
    branch_pool: ConvRelu,
}

impl FactorizedBlock {
    pub fn init(input: usize, narrow: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| ConvRelu::init(input, output, kernel, device).padded();
        Self {
            branch1x1: conv(input, 192, [1, 1]),
            branch7x7_1: conv(input, narrow, [1, 1]),
            branch7x7_2: conv(narrow, narrow, [1, 7]),
            branch7x7_3: conv(narrow, 192, [7, 1]),
            branch7x7dbl_1: conv(input, narrow, [1, 1]),
            branch7x7dbl_2: conv(narrow, narrow, [7, 1]),
            branch7x7dbl_3: conv(narrow, narrow, [1, 7]),
            branch7x7dbl_4: conv(narrow, narrow, [7, 1]),
            branch7x7dbl_5: conv(narrow, 192, [1, 7]),
            branch_pool: conv(input, 192, [1, 1]),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let single = self.branch7x7_1.forward(x.clone());
        let single = self.branch7x7_3.forward(self.branch7x7_2.forward(single));
        let double = self.branch7x7dbl_1.forward(x.clone());
        let double = self
            .branch7x7dbl_3
            .forward(self.branch7x7dbl_2.forward(double));
        let double = self
            .branch7x7dbl_5
            .forward(self.branch7x7dbl_4.forward(double));
        let pooled = averaged(&self.branch_pool, x.clone());
        Tensor::cat(vec![self.branch1x1.forward(x), single, double, pooled], 1)
    }
}

/// Figure 10 from 17 to 8 pixels (torchvision's `InceptionD`).
#[derive(Module, Debug)]
pub(super) struct SecondReduction {
    branch3x3_1: ConvRelu,
    branch3x3_2: ConvRelu,
    branch7x7x3_1: ConvRelu,
    branch7x7x3_2: ConvRelu,
    branch7x7x3_3: ConvRelu,
    branch7x7x3_4: ConvRelu,
}

impl SecondReduction {
    pub fn init(input: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| ConvRelu::init(input, output, kernel, device);
        Self {
            branch3x3_1: conv(input, 192, [1, 1]),
            branch3x3_2: conv(192, 320, [3, 3]).with_stride(2),
            branch7x7x3_1: conv(input, 192, [1, 1]),
            branch7x7x3_2: conv(192, 192, [1, 7]).padded(),
            branch7x7x3_3: conv(192, 192, [7, 1]).padded(),
            branch7x7x3_4: conv(192, 192, [3, 3]).with_stride(2),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let threes = self
            .branch3x3_2
            .forward(self.branch3x3_1.forward(x.clone()));
        let sevens = self
            .branch7x7x3_2
            .forward(self.branch7x7x3_1.forward(x.clone()));
        let sevens = self
            .branch7x7x3_4
            .forward(self.branch7x7x3_3.forward(sevens));
        let pooled = max_pool(x, 3, Remainder::Drop);
        Tensor::cat(vec![threes, sevens, pooled], 1)
    }
}

/// What the pooling branch of a [`LastBlock`] takes of the 3x3 neighborhood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastPooling {
    /// The mean.
    Average,
    /// The maximum: in the 2015 archive, and only there, in the very last block.
    Maximum,
}

/// Figure 7: 1x3 and 3x1 convolutions side by side (torchvision's `InceptionE`).
#[derive(Module, Debug)]
pub(super) struct LastBlock {
    branch1x1: ConvRelu,
    branch3x3_1: ConvRelu,
    branch3x3_2a: ConvRelu,
    branch3x3_2b: ConvRelu,
    branch3x3dbl_1: ConvRelu,
    branch3x3dbl_2: ConvRelu,
    branch3x3dbl_3a: ConvRelu,
    branch3x3dbl_3b: ConvRelu,
    branch_pool: ConvRelu,
}

impl LastBlock {
    pub fn init(input: usize, device: &Device) -> Self {
        let conv = |input, output, kernel| ConvRelu::init(input, output, kernel, device).padded();
        Self {
            branch1x1: conv(input, 320, [1, 1]),
            branch3x3_1: conv(input, 384, [1, 1]),
            branch3x3_2a: conv(384, 384, [1, 3]),
            branch3x3_2b: conv(384, 384, [3, 1]),
            branch3x3dbl_1: conv(input, 448, [1, 1]),
            branch3x3dbl_2: conv(448, 384, [3, 3]),
            branch3x3dbl_3a: conv(384, 384, [1, 3]),
            branch3x3dbl_3b: conv(384, 384, [3, 1]),
            branch_pool: conv(input, 192, [1, 1]),
        }
    }

    pub fn forward(&self, x: Tensor<4>, pooling: LastPooling) -> Tensor<4> {
        let single = self.branch3x3_1.forward(x.clone());
        let double = self
            .branch3x3dbl_2
            .forward(self.branch3x3dbl_1.forward(x.clone()));
        let pooled = match pooling {
            LastPooling::Average => averaged(&self.branch_pool, x.clone()),
            LastPooling::Maximum => {
                let options = MaxPoolOptions::new([3; 2])
                    .with_stride([1; 2])
                    .with_padding([1; 2]);
                self.branch_pool.forward(max_pool2d(x.clone(), options))
            }
        };
        let branches = vec![
            self.branch1x1.forward(x),
            self.branch3x3_2a.forward(single.clone()),
            self.branch3x3_2b.forward(single),
            self.branch3x3dbl_3a.forward(double.clone()),
            self.branch3x3dbl_3b.forward(double),
            pooled,
        ];
        Tensor::cat(branches, 1)
    }
}
