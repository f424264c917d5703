use burn::tensor::{Device, Tensor, TensorData};

use crate::{InputRange, Version};

/// Mean of the ImageNet images of the authors' training, per channel, for values in [-1, 1].
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
/// Standard deviation of those images, per channel, for values in [-1, 1].
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// The map per channel from image values to what a network's weights expect, `factor x + offset`.
#[derive(Clone, Debug)]
pub(crate) struct InputScaling {
    /// Factor and offset, `[1, 3, 1, 1]` each; none where images stay as they are.
    coefficients: Option<(Tensor<4>, Tensor<4>)>,
}

impl InputScaling {
    /// The caller's range to [-1, 1], and in version 0.1 from there by `(x - SHIFT) / SCALE`.
    pub fn new(version: Version, input_range: InputRange, device: &Device) -> Self {
        let (shift, scale) = match version {
            Version::V0_0 => ([0.0; 3], [1.0; 3]),
            Version::V0_1 => (SHIFT, SCALE),
        };
        // x -> gain x + origin maps the caller's range to [-1, 1].
        let (gain, origin) = match input_range {
            InputRange::MinusOneToOne => (1.0, 0.0),
            InputRange::ZeroToOne => (2.0, -1.0),
        };
        let factor = scale.map(|scale| gain / scale);
        let offset = [0, 1, 2].map(|channel| (origin - shift[channel]) / scale[channel]);
        let device = device.clone().without_autodiff();
        let per_channel = |values: [f32; 3]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
        };
        let identity = factor == [1.0; 3] && offset == [0.0; 3];
        Self {
            coefficients: (!identity).then(|| (per_channel(factor), per_channel(offset))),
        }
    }

    /// Scales `x` `[batch, 3, height, width]`.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.coefficients {
            Some((factor, offset)) => x * factor.clone() + offset.clone(),
            None => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(version: Version, range: InputRange, value: f32) -> Vec<f32> {
        let device = Device::flex();
        let x = Tensor::<4>::full([1, 3, 1, 1], value, &device);
        let scaled = InputScaling::new(version, range, &device).apply(x);
        scaled.into_data().try_to_vec().expect("f32 throughout")
    }

    #[test]
    fn version_0_1_centers_on_the_mean_of_imagenet() {
        let found = scaled(Version::V0_1, InputRange::MinusOneToOne, -0.088);
        let expected = [(-0.088 + 0.030) / 0.458, 0.0, (-0.088 + 0.188) / 0.450];
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "{found} instead of {expected}"
            );
        }
    }

    #[test]
    fn version_0_0_takes_images_as_they_are() {
        assert_eq!(
            scaled(Version::V0_0, InputRange::MinusOneToOne, 0.3),
            [0.3; 3]
        );
        assert_eq!(scaled(Version::V0_0, InputRange::ZeroToOne, 0.75), [0.5; 3]);
    }
}
