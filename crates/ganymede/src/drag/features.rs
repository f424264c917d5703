use backbones::{ResizeMethod, resize};
use burn::tensor::Tensor;
use stylegan2::NoiseMode;
use stylegan2_ops::matmul;

use super::matrix;
use super::options::Sizes;
use crate::Model;

/// Features of one picture, resized to it: `[1, channels, side, side]`.
#[derive(Clone)]
pub(super) struct FeatureMap(pub Tensor<4>);

/// The features of `w_plus` `[1, num_ws, w_dim]` and, without a gradient, the image.
pub(super) fn of(
    w_plus: Tensor<3>,
    noise: &NoiseMode,
    sizes: &Sizes,
    model: &Model,
) -> (FeatureMap, Tensor<4>) {
    let blocks = model.generator.synthesis.forward_blocks(w_plus, noise);
    let image = blocks.last().and_then(|last| last.rgb.clone());
    let image = image
        .expect("the last block makes colors")
        .without_autodiff();
    let block = blocks
        .into_iter()
        .find(|block| block.resolution == sizes.block);
    let features = block.expect("a block of a checked resolution").features;
    let map = resize(features, [sizes.side, sizes.side], ResizeMethod::Bilinear);
    (FeatureMap(map), image)
}

impl FeatureMap {
    pub(super) fn without_autodiff(&self) -> Self {
        Self(self.0.clone().without_autodiff())
    }

    fn side(&self) -> usize {
        self.0.dims()[3]
    }

    /// The part about positions within the picture: its first column and row, its size, and its features
    /// `[channels, height * width]`.
    pub(super) fn part(&self, first: [usize; 2], size: [usize; 2]) -> Tensor<2> {
        let channels = self.0.dims()[1];
        let part = self
            .0
            .clone()
            .narrow(2, first[1], size[1])
            .narrow(3, first[0], size[0]);
        part.reshape([channels, size[0] * size[1]])
    }

    /// Features at positions `[x, y]`, bilinear between pixels and the nearest inside the picture:
    /// `[channels, positions]`.
    pub(super) fn sample(&self, positions: &[[f64; 2]]) -> Tensor<2> {
        let last = self.side() - 1;
        let inside: Vec<[f64; 2]> = positions
            .iter()
            .map(|p| p.map(|x| x.clamp(0.0, last as f64)))
            .collect();
        // Only the part that positions lie in is multiplied.
        let (mut first, mut end) = ([last; 2], [0; 2]);
        for position in &inside {
            for axis in 0..2 {
                first[axis] = first[axis].min(position[axis].floor() as usize);
                end[axis] = end[axis].max(position[axis].ceil() as usize);
            }
        }
        let size = [0, 1].map(|axis| end[axis] - first[axis] + 1);
        let mut weights = vec![0.0f32; size[0] * size[1] * inside.len()];
        for (column, position) in inside.iter().enumerate() {
            let [x, y] = [0, 1].map(|axis| (position[axis].floor(), position[axis].fract()));
            for (dx, weight_x) in [(0.0, 1.0 - x.1), (1.0, x.1)] {
                for (dy, weight_y) in [(0.0, 1.0 - y.1), (1.0, y.1)] {
                    let weight = weight_x * weight_y;
                    if weight > 0.0 {
                        let (column_in, row_in) = (
                            (x.0 + dx) as usize - first[0],
                            (y.0 + dy) as usize - first[1],
                        );
                        weights[(row_in * size[0] + column_in) * inside.len() + column] +=
                            weight as f32;
                    }
                }
            }
        }
        let weights = matrix(weights, [size[0] * size[1], inside.len()], &self.0);
        matmul(self.part(first, size), weights)
    }

    /// The mean over channels and all pixels of `weights |self - other|`, `weights` `[1, 1, side, side]`.
    pub(super) fn difference(&self, other: &Self, weights: &Tensor<4>) -> Tensor<1> {
        let apart = (self.0.clone() - other.0.clone()).abs() * weights.clone();
        apart.mean()
    }
}
