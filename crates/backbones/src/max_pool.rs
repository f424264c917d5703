use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

/// What happens to the rows and columns that no whole window covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remainder {
    /// They are dropped (PyTorch's `ceil_mode=False`).
    Drop,
    /// A window that reaches over the edge takes them (PyTorch's `ceil_mode=True`).
    Keep,
}

/// Max pooling with stride 2 and no padding, as all three networks use it.
pub(crate) fn max_pool(x: Tensor<4>, kernel: usize, remainder: Remainder) -> Tensor<4> {
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([2; 2])
        .with_ceil_mode(remainder == Remainder::Keep);
    max_pool2d(x, options)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    /// 0, 1, 2, ... as one plane.
    fn ramp(height: usize, width: usize, device: &Device) -> Tensor<4> {
        let values = (0..height * width).map(|v| v as f32).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(values, [1, 1, height, width]), device)
    }

    #[test]
    fn the_remainder_is_dropped_or_kept() {
        for (name, device) in testkit::devices() {
            let pooled = |remainder| max_pool(ramp(3, 6, &device), 3, remainder).into_data();
            let dropped = TensorData::from([[[[14.0f32, 16.0]]]]);
            let kept = TensorData::from([[[[14.0f32, 16.0, 17.0]]]]);
            assert_eq!(pooled(Remainder::Drop), dropped, "{name}");
            assert_eq!(pooled(Remainder::Keep), kept, "{name}");
        }
    }

    #[test]
    fn an_input_lower_than_the_window_is_pooled_once() {
        for (name, device) in testkit::devices() {
            let pooled = max_pool(ramp(2, 5, &device), 3, Remainder::Keep).into_data();
            assert_eq!(pooled, TensorData::from([[[[7.0f32, 9.0]]]]), "{name}");
        }
    }

    #[test]
    fn gradients_go_to_the_largest_values() {
        for (name, device) in testkit::devices() {
            let x = ramp(3, 6, &device).autodiff().require_grad();
            let gradients = max_pool(x.clone(), 3, Remainder::Keep).sum().backward();
            let expected = [[0.0f32; 6], [0.0; 6], [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]];
            let expected = TensorData::from([[expected]]);
            let gradient = x.grad(&gradients).expect("the input requires a gradient");
            assert_eq!(gradient.into_data(), expected, "{name}");
        }
    }
}
