//! What keeps areas of one color even: a price for steps between neighboring pixels that are too small for edges.

use burn::tensor::{Tensor, TensorData, activation};

/// The largest difference between two neighboring pixels that is no edge: 6 of 255 levels, in images of [-1, 1].
const EDGE: f64 = 6.0 / 127.5;

/// What images, `[N, C, H, W]` in [-1, 1] with H and W of at least 2, have of small steps: the mean of
/// `min(|d|, 6 / 127.5)` over the differences d of pixels to their right neighbors, and the same of the lower ones,
/// `[1]`.
///
/// The energy of a weak string (Blake and Zisserman 1987, "Visual Reconstruction") with absolute values: a step pays up
/// to a bound, so that all edges cost the same, and nothing is gained by making one a little lower.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use vision_aided_finetune::flatness::truncated_variation;
///
/// let black = Tensor::<4>::full([1, 3, 8, 8], -1.0, &Device::default());
/// assert_eq!(truncated_variation(black).into_scalar::<f32>(), 0.0);
/// ```
pub fn truncated_variation(images: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = images.dims();
    let count = images.shape().num_elements();
    let device = images.device();
    // As one long row: slices of rows and columns, and their gradients, take several times as long on a CPU.
    let pixels = images.reshape([count]);
    let among = |step: usize, has_neighbor: &dyn Fn(usize) -> bool| {
        // 1 where a pair are neighbors, 0 where the row or the plane ends between them.
        let neighbors: Vec<f32> = (0..count - step)
            .map(|at| f32::from(u8::from(has_neighbor(at))))
            .collect();
        let pairs: f32 = neighbors.iter().sum();
        let neighbors = TensorData::new(neighbors, [count - step]);
        let later = pixels.clone().narrow(0, step, count - step);
        let earlier = pixels.clone().narrow(0, 0, count - step);
        let paid = (later - earlier).abs().clamp_max(EDGE);
        let paid = paid * Tensor::from_data(neighbors, &device);
        paid.sum().div_scalar(pairs)
    };
    among(1, &|at| at % width + 1 < width) + among(width, &|at| at / width % height + 1 < height)
}

/// The generator's loss for ripples that no real image has: how much more [`truncated_variation`] generated images have
/// than real ones, `[1]`, at least 0.
///
/// A discriminator hardly sees ripples of a few levels. Without the comparison a generator would wipe out fine lines
/// too.
pub fn excess_variation(fake: Tensor<4>, real: Tensor<4>) -> Tensor<1> {
    activation::relu(truncated_variation(fake) - truncated_variation(real))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn images(shape: [usize; 4], values: &[f32], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
    }

    fn scalar(tensor: Tensor<1>) -> f32 {
        tensor.into_scalar()
    }

    #[test]
    fn steps_pay_what_they_are_and_edges_the_bound() {
        for (_, device) in testkit::devices() {
            // Of three pairs in a row one is an edge, of whatever height, and of three in a column one is a small step.
            for edge in [0.1, 2.0] {
                let high = edge - 1.0;
                let (low, step) = (-1.0, 0.01);
                let rows = [
                    [low, low, high, high],
                    [low, low, high, high],
                    [low + step, low + step, high + step, high + step],
                    [low + step, low + step, high + step, high + step],
                ];
                let found = scalar(truncated_variation(images(
                    [1, 1, 4, 4],
                    &rows.concat(),
                    &device,
                )));
                let expected = (EDGE as f32 + step) / 3.0;
                // Differences of numbers near 1.
                assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
            }
        }
    }

    /// The end of a row, of a channel or of an image is no neighbor of the next one's start.
    #[test]
    fn only_pixels_beside_each_other_are_compared() {
        for (_, device) in testkit::devices() {
            let planes = [[0.0; 6], [0.1; 6], [0.2; 6], [0.3; 6]];
            let even = images([2, 2, 2, 3], &planes.concat(), &device);
            assert_eq!(scalar(truncated_variation(even)), 0.0);
            let striped = [0.0, 0.01, 0.03, 0.0, 0.01, 0.03];
            let found = scalar(truncated_variation(images([1, 1, 2, 3], &striped, &device)));
            // The mean of 0.01 and 0.02; nothing changes downwards.
            assert!((found - 0.015).abs() < 1e-7, "{found}");
        }
    }

    #[test]
    fn brightness_reflections_and_rows_as_columns_change_nothing() {
        for (_, device) in testkit::devices() {
            let values = testkit::seeded("pixels", 2 * 3 * 5 * 7, 0.05);
            let made = Tensor::<4>::from_data(TensorData::new(values, [2, 3, 5, 7]), &device);
            let expected = scalar(truncated_variation(made.clone()));
            for other in [
                made.clone() + 0.25,
                made.clone().flip([2]),
                made.clone().flip([3]),
                made.swap_dims(2, 3),
            ] {
                let found = scalar(truncated_variation(other));
                // Differences of numbers near 0.3, summed in another order.
                assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
            }
        }
    }

    #[test]
    fn an_image_that_is_as_even_as_real_ones_pays_nothing() {
        for (_, device) in testkit::devices() {
            let device = device.autodiff();
            let values = |name: &str, std: f64| {
                let values = testkit::seeded(name, 64, std);
                Tensor::<4>::from_data(TensorData::new(values, [1, 1, 8, 8]), &device)
            };
            let even = values("even", 0.001).require_grad();
            let real = values("real", 0.02);
            let excess = excess_variation(even.clone(), real.clone());
            let gradient = even.grad(&excess.backward());
            assert_eq!(scalar(excess), 0.0);
            let gradient = gradient.map_or(0.0, |g| g.abs().max().into_scalar::<f32>());
            assert_eq!(gradient, 0.0);
            assert!(scalar(excess_variation(real, even)) > 0.01);
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (_, device) in testkit::devices() {
            // Steps of 0.004 to 0.03, and edges of 0.09 and more, so that no difference passes 0 or the bound: the loss
            // is linear there, and rounding of a number near 0.04 is divided by the step.
            let rising = [0.0, 0.004, 0.03, 0.2, 0.5, 0.51, 0.9, 0.904, 1.0];
            testkit::assert_gradient(
                "excess variation",
                &device,
                [1, 1, 3, 3],
                &rising,
                1e-3,
                2e-3,
                |fake: Tensor<4>| {
                    let real = Tensor::<4>::zeros([1, 1, 3, 3], &fake.device());
                    excess_variation(fake, real)
                },
            );
        }
    }
}
