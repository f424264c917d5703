use burn::tensor::{Device, Tensor, TensorData};

/// Resizes the planes of `x` `[batch, channels, height, width]` to `size`, bilinearly between pixel centres, the edge repeated: PyTorch's
/// `mode='bilinear', align_corners=False` without antialiasing.
///
/// It is one matrix product a direction, `rows · x · columnsᵀ`, because Burn's interpolation has no gradient on every backend.
pub(crate) fn resize_bilinear(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size {
        return x;
    }
    let device = x.device().without_autodiff();
    let rows = interpolation_matrix(height, size[0], &device);
    let columns = interpolation_matrix(width, size[1], &device);
    // [1, 1, out, height] · [batch, channels, height, width] · [1, 1, width, out]
    rows.matmul(x).matmul(columns.transpose())
}

/// The matrix `[1, 1, output, input]` that interpolates `input` samples at `output` evenly spaced places.
fn interpolation_matrix(input: usize, output: usize, device: &Device) -> Tensor<4> {
    let mut matrix = vec![0.0f32; output * input];
    let scale = input as f64 / output as f64;
    for (index, row) in matrix.chunks_exact_mut(input).enumerate() {
        let position = ((index as f64 + 0.5) * scale - 0.5).clamp(0.0, (input - 1) as f64);
        let left = position.floor() as usize;
        let right = (left + 1).min(input - 1);
        let fraction = position - left as f64;
        row[left] += (1.0 - fraction) as f32;
        row[right] += fraction as f32;
    }
    Tensor::from_data(TensorData::new(matrix, [1, 1, output, input]), device)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed conversion fails the test")]

    use super::*;

    fn row(input: &[f32], output: usize) -> Vec<f32> {
        let device = Device::flex();
        let x = Tensor::from_data(
            TensorData::new(input.to_vec(), [1, 1, 1, input.len()]),
            &device,
        );
        resize_bilinear(x, [1, output])
            .into_data()
            .try_to_vec()
            .unwrap()
    }

    #[test]
    fn doubling_interpolates_at_quarters_and_repeats_the_edge() {
        assert_eq!(row(&[0.0, 4.0, 8.0], 6), [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]);
    }

    #[test]
    fn one_pixel_fills_the_row() {
        assert_eq!(row(&[2.5], 3), [2.5; 3]);
    }

    #[test]
    fn halving_takes_the_two_central_pixels() {
        assert_eq!(row(&[0.0, 2.0, 4.0, 8.0], 2), [1.0, 6.0]);
    }

    #[test]
    fn the_gradient_is_the_adjoint() {
        let device = Device::flex();
        let shape = [2, 1, 3, 5];
        let x = testkit::seeded("resize/x", shape.iter().product(), 1.0);
        let probe = testkit::seeded("resize/probe", 2 * 7 * 8, 1.0);
        // The function is linear, so differences are exact up to rounding (about 1e-7 / step).
        testkit::assert_gradient("resize_bilinear", &device, shape, &x, 0.5, 1e-5, |x| {
            let device = x.device();
            let probe =
                Tensor::<4>::from_data(TensorData::new(probe.clone(), [2, 1, 7, 8]), &device);
            (resize_bilinear(x, [7, 8]) * probe).sum()
        });
    }
}
