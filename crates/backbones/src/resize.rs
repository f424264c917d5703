//! Resizing with a gradient on every device: one matrix product a direction. Burn's interpolation has none on some.

use burn::tensor::{Device, Tensor, TensorData};
use image_tensor::{ResizeProtocol, resampling_matrix};
use stylegan2_ops::matmul;

/// How planes of one size become planes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResizeMethod {
    /// Between the two nearest pixel centers a direction, the edge repeated, nothing averaged when shrinking: PyTorch's
    /// `interpolate(mode='bilinear', align_corners=False)`.
    Bilinear,
    /// Pillow's filters, which average when shrinking. On 8-bit images [`image_tensor::resize`] equals Pillow exactly;
    /// on tensors the result is that of Pillow's floating-point mode.
    Pillow(ResizeProtocol),
    /// The mean of the pixels that an output pixel touches, whatever its share of them: PyTorch's
    /// `interpolate(mode='area')`, which is adaptive average pooling.
    Area,
}

/// Resizes the planes of `x` `[batch, channels, height, width]` to `[height, width]`, differentiably.
///
/// # Panics
/// When a side of `x` or of `size` is 0.
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use backbones::{ResizeMethod, resize};
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<4>::from_floats([[[[0.0, 4.0, 8.0]]]], &Device::flex());
/// let doubled = resize(x, [1, 6], ResizeMethod::Bilinear);
/// assert_eq!(doubled.into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]);
/// # }
/// ```
pub fn resize(x: Tensor<4>, size: [usize; 2], method: ResizeMethod) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let device = x.device().without_autodiff();
    // A side that stays is its own image under all of these filters.
    let x = if height == size[0] {
        x
    } else {
        // [1, 1, out, height] · [batch, channels, height, width]
        matmul(matrix(method, height, size[0], &device), x)
    };
    if width == size[1] {
        x
    } else {
        // [batch, channels, out height, width] · [1, 1, width, out]
        matmul(x, matrix(method, width, size[1], &device).transpose())
    }
}

/// The matrix `[1, 1, output, input]`.
fn matrix(method: ResizeMethod, input: usize, output: usize, device: &Device) -> Tensor<4> {
    let values = match method {
        ResizeMethod::Bilinear => bilinear_matrix(input, output),
        ResizeMethod::Area => area_matrix(input, output),
        ResizeMethod::Pillow(protocol) => resampling_matrix(protocol, input as u32, output as u32),
    };
    Tensor::from_data(TensorData::new(values, [1, 1, output, input]), device)
}

fn bilinear_matrix(input: usize, output: usize) -> Vec<f32> {
    assert!(
        input > 0 && output > 0,
        "a resize needs at least one pixel a side: {input} to {output}"
    );
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
    matrix
}

fn area_matrix(input: usize, output: usize) -> Vec<f32> {
    assert!(
        input > 0 && output > 0,
        "a resize needs at least one pixel a side: {input} to {output}"
    );
    let mut matrix = vec![0.0f32; output * input];
    for (index, row) in matrix.chunks_exact_mut(input).enumerate() {
        let touched = index * input / output..((index + 1) * input).div_ceil(output);
        let weight = 1.0 / touched.len() as f32;
        row[touched].fill(weight);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(input: &[f32], output: usize, method: ResizeMethod, device: &Device) -> Vec<f32> {
        let x = TensorData::new(input.to_vec(), [1, 1, 1, input.len()]);
        resize(Tensor::from_data(x, device), [1, output], method)
            .into_data()
            .try_to_vec()
            .expect("f32 throughout")
    }

    #[test]
    fn halving_takes_the_central_pixels_or_averages() {
        for (_, device) in testkit::devices() {
            let pixels = [0.0, 2.0, 4.0, 8.0];
            assert_eq!(row(&pixels, 2, ResizeMethod::Bilinear, &device), [1.0, 6.0]);
            let averaged = ResizeMethod::Pillow(ResizeProtocol::PillowBox);
            assert_eq!(row(&pixels, 2, averaged, &device), [1.0, 6.0]);
            // A triangle of support 2: weights 3, 3, 1 of 7 at the edge.
            let triangle = ResizeMethod::Pillow(ResizeProtocol::PillowBilinear);
            let found = row(&[0.0, 7.0, 14.0, 21.0], 2, triangle, &device);
            for (found, expected) in found.iter().zip([5.0, 16.0]) {
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn bilinear_interpolates_at_quarters_and_repeats_the_edge() {
        for (_, device) in testkit::devices() {
            let bilinear =
                |input: &[f32], output| row(input, output, ResizeMethod::Bilinear, &device);
            assert_eq!(
                bilinear(&[0.0, 4.0, 8.0], 6),
                [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]
            );
            assert_eq!(bilinear(&[2.5], 3), [2.5; 3]);
        }
    }

    #[test]
    fn area_averages_the_pixels_that_an_output_touches() {
        for (_, device) in testkit::devices() {
            let area = |input: &[f32], output| row(input, output, ResizeMethod::Area, &device);
            assert_eq!(area(&[0.0, 2.0, 4.0, 8.0], 2), [1.0, 6.0]);
            assert_eq!(area(&[1.0, 3.0], 4), [1.0, 1.0, 3.0, 3.0]);
            // Three pixels onto two: the middle one counts in full on both sides.
            assert_eq!(area(&[0.0, 2.0, 6.0], 2), [1.0, 4.0]);
            assert_eq!(area(&[0.0, 6.0], 3), [0.0, 3.0, 6.0]);
        }
    }

    #[test]
    fn constants_stay() {
        for (_, device) in testkit::devices() {
            for protocol in [ResizeProtocol::PillowBicubic, ResizeProtocol::PillowLanczos] {
                for value in row(&[2.5; 7], 5, ResizeMethod::Pillow(protocol), &device) {
                    // Weights of sum 1, each rounded.
                    assert!((value - 2.5).abs() < 1e-6, "{value}");
                }
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        let shape = [2, 1, 3, 5];
        let x = testkit::seeded("resize/x", shape.iter().product(), 1.0);
        let probe = testkit::seeded("resize/probe", 2 * 7 * 4, 1.0);
        for (name, device) in testkit::devices() {
            for method in [
                ResizeMethod::Bilinear,
                ResizeMethod::Pillow(ResizeProtocol::PillowBicubic),
                ResizeMethod::Area,
            ] {
                let what = format!("{method:?} on {name}");
                // The function is linear, so differences are exact up to rounding (about 1e-7 / step).
                testkit::assert_gradient(&what, &device, shape, &x, 0.5, 1e-5, |x| {
                    let probe = TensorData::new(probe.clone(), [2, 1, 7, 4]);
                    let probe = Tensor::<4>::from_data(probe, &x.device());
                    (resize(x, [7, 4], method) * probe).sum()
                });
            }
        }
    }
}
