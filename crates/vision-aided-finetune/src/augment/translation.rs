use burn::tensor::{Tensor, TensorData};
use stylegan2_ops::matmul;

/// Shifts every image by its `[rows, columns]` and fills with 0: `y[r, c] = x[r + rows, c + columns]`.
///
/// x `[batch, channels, height, width]`, one offset an image.
///
/// # Panics
/// When there is not one offset for each image.
pub fn translate(x: Tensor<4>, offsets: &[[i32; 2]]) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    assert_eq!(
        offsets.len(),
        batch,
        "expected one offset for each of {batch} images, found {}",
        offsets.len()
    );
    // As products with matrices of zeros and ones: exact, and differentiable on every backend, unlike a gather by
    // index.
    let shift = |side: usize, axis: usize| -> Tensor<4> {
        let mut values = vec![0.0f32; batch * side * side];
        for (matrix, offset) in values.chunks_exact_mut(side * side).zip(offsets) {
            for row in 0..side {
                let from = row as i64 + i64::from(offset[axis]);
                if let Ok(from) = usize::try_from(from)
                    && from < side
                {
                    matrix[row * side + from] = 1.0;
                }
            }
        }
        Tensor::from_data(TensorData::new(values, [batch, 1, side, side]), &x.device())
            .repeat_dim(1, channels)
    };
    let rows = shift(height, 0);
    let columns = shift(width, 1).swap_dims(2, 3);
    matmul(matmul(rows, x), columns)
}
