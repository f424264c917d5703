use burn::tensor::Tensor;

/// Side of the coarsest image of the pyramid.
const COARSEST: usize = 8;

/// Autocorrelation of noise images at shift 1 over all scales (Karras et al. 2020, "Analyzing and Improving the Image
/// Quality of StyleGAN", appendix D): one value per image of the batch, `[batch]`, near 0 for white noise.
///
/// Each of `images` is `[batch, 1, side, side]`. For every image and each of its halvings by 2x2 means down to 8x8 the
/// sum has `mean(n(y, x) n(y, x - 1))^2 + mean(n(y, x) n(y - 1, x))^2`, wrapping around at the edges.
///
/// # Panics
/// When there is no image.
pub fn noise_regularization(images: &[Tensor<4>]) -> Tensor<1> {
    images
        .iter()
        .map(|image| pyramid(image.clone()))
        .reduce(|sum, term| sum + term)
        .expect("at least one noise image, found none")
}

fn pyramid(mut image: Tensor<4>) -> Tensor<1> {
    let mut sum = autocorrelation(&image, 3) + autocorrelation(&image, 2);
    while image.dims()[2] > COARSEST {
        image = halve(image);
        sum = sum + autocorrelation(&image, 3) + autocorrelation(&image, 2);
    }
    sum
}

/// `mean(n * roll(n, 1, dim))^2` per image, `[batch]`.
fn autocorrelation(image: &Tensor<4>, dim: usize) -> Tensor<1> {
    let length = image.dims()[dim];
    // Two slices, as their gradients are cheaper than those of a gather.
    let rolled = Tensor::cat(
        vec![
            image.clone().narrow(dim, length - 1, 1),
            image.clone().narrow(dim, 0, length - 1),
        ],
        dim,
    );
    let mean = per_image_mean(image.clone() * rolled);
    mean.clone() * mean
}

/// Means of 2x2 pixels.
fn halve(image: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = image.dims();
    image
        .reshape([batch * channels * height / 2, 2, width / 2, 2])
        .mean_dim(1)
        .mean_dim(3)
        .reshape([batch, channels, height / 2, width / 2])
}

/// Shifts and scales each noise image `[batch, 1, side, side]` to mean 0 and mean square 1, as the projector does after
/// every step.
pub fn normalize_noise(image: Tensor<4>) -> Tensor<4> {
    let shape = image.dims();
    let batch = shape[0];
    let flat: Tensor<2> = image.reshape([batch as i32, -1]);
    let centered = flat.clone() - flat.mean_dim(1);
    let mean_square = (centered.clone() * centered.clone()).mean_dim(1);
    (centered / mean_square.sqrt()).reshape(shape)
}

fn per_image_mean(x: Tensor<4>) -> Tensor<1> {
    let batch = x.dims()[0];
    let flat: Tensor<2> = x.reshape([batch as i32, -1]);
    flat.mean_dim(1).reshape([batch])
}

#[cfg(test)]
#[cfg(feature = "cpu")]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use testkit::{assert_gradient, seeded};

    fn regularization_of(values: Vec<f32>, side: usize) -> f32 {
        let image = Tensor::from_data(TensorData::new(values, [1, 1, side, side]), &Device::flex());
        noise_regularization(&[image]).into_scalar()
    }

    #[test]
    fn a_constant_image_is_fully_correlated_at_every_scale() {
        // Each of the scales 16 and 8 has 3^2 squared, twice.
        let value = regularization_of(vec![3.0; 256], 16);
        assert!((value - 4.0 * 81.0).abs() < 1e-3, "{value}");
    }

    #[test]
    fn stripes_cancel_across_and_correlate_along_and_vanish_when_halved() {
        // Neighbors in a row are 1 and -1 (correlation -1), in a column equal (1); means of 2x2 are 0.
        let stripes = (0..256)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let value = regularization_of(stripes, 16);
        assert!((value - 2.0).abs() < 1e-5, "{value}");
    }

    #[test]
    fn small_images_are_not_halved() {
        // 4x4 has one scale: 1^2 twice.
        let value = regularization_of(vec![1.0; 16], 4);
        assert!((value - 2.0).abs() < 1e-6, "{value}");
    }

    #[test]
    fn images_of_a_batch_do_not_mix() {
        let device = Device::flex();
        let values = seeded("noise/batch", 2 * 256, 1.0);
        let both = Tensor::from_data(TensorData::new(values.clone(), [2, 1, 16, 16]), &device);
        let [first, second]: [f32; 2] = noise_regularization(&[both])
            .into_data()
            .try_to_vec()
            .expect("f32")
            .try_into()
            .expect("two images");
        // The same operations on the same numbers; summation order may differ by rounding.
        let alone = [
            regularization_of(values[..256].to_vec(), 16),
            regularization_of(values[256..].to_vec(), 16),
        ];
        assert!((first - alone[0]).abs() <= 1e-6 && (second - alone[1]).abs() <= 1e-6);
    }

    #[test]
    fn its_gradient_agrees_with_differences() {
        // Values of order 1 correlate by 1/16, so the sum is small and a step of 0.3 along a unit vector of 256 numbers
        // is small too; a cubic remainder of the quartic function stays below 2 %.
        let x = seeded("noise/gradient", 256, 1.0);
        assert_gradient(
            "noise regularisation",
            &Device::flex(),
            [1, 1, 16, 16],
            &x,
            0.1,
            2e-2,
            |image| noise_regularization(&[image]),
        );
    }

    #[test]
    fn normalized_noise_has_mean_0_and_mean_square_1() {
        let values: Vec<f32> = seeded("noise/normalise", 2 * 64, 3.0)
            .iter()
            .map(|v| v + 5.0)
            .collect();
        let image = Tensor::from_data(TensorData::new(values, [2, 1, 8, 8]), &Device::flex());
        let normalized: Vec<f32> = normalize_noise(image)
            .into_data()
            .try_to_vec()
            .expect("f32");
        for image in normalized.chunks(64) {
            let mean = image.iter().sum::<f32>() / 64.0;
            let square = image.iter().map(|v| v * v).sum::<f32>() / 64.0;
            // Rounding of sums of 64 numbers near 5.
            assert!(
                mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-5,
                "{mean}, {square}"
            );
        }
    }
}
