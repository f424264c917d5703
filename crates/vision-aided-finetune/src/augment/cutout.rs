use burn::tensor::{Tensor, TensorData};

use super::{CUTOUT_RATIO, rounded};

/// Sets a square of half the side, centered at each image's `[row, column]`, to 0.
///
/// x `[batch, channels, height, width]`, one center an image. Of a square over the edge the pixels beyond it fall on
/// the edge, as in the authors' code, which clamps indices: a hole never vanishes.
///
/// # Panics
/// When there is not one center for each image.
pub fn cutout(x: Tensor<4>, centers: &[[usize; 2]]) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    assert_eq!(
        centers.len(),
        batch,
        "expected one center for each of {batch} images, found {}",
        centers.len()
    );
    let mut mask = vec![1.0f32; batch * height * width];
    for (image, center) in mask.chunks_exact_mut(height * width).zip(centers) {
        for row in covered(height, center[0]) {
            for column in covered(width, center[1]) {
                image[row * width + column] = 0.0;
            }
        }
    }
    let shape = [batch, 1, height, width];
    let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device());
    x * mask
}

/// Indices of the pixels along an axis that a hole covers.
fn covered(side: usize, center: usize) -> std::ops::RangeInclusive<usize> {
    let size = rounded(side, CUTOUT_RATIO);
    let clamp = |index: i64| index.clamp(0, side as i64 - 1) as usize;
    let first = center as i64 - (size / 2) as i64;
    clamp(first)..=clamp(first + size as i64 - 1)
}
