//! The operation against closed forms, finite differences and its composed version.

use burn::tensor::{Device, Tensor, TensorData};
use testkit::{assert_close, assert_gradient, devices, relative_l2};

use super::*;

/// More pixels than a strip, in two images.
const SHAPE: [usize; 4] = [2, 5, 11, 13];

fn tensor(name: &str, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = testkit::seeded(name, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 throughout")
}

/// The definition, in tensor operations.
fn by_definition(
    x: Tensor<4>,
    target: Tensor<4>,
    head: Tensor<4>,
    reduction: Reduction,
) -> Tensor<4> {
    let difference = normalize_columns(x) - target;
    let map = (difference.clone() * difference * head).sum_dim(1);
    match reduction {
        Reduction::None => map,
        Reduction::Mean => map.mean_dim(2).mean_dim(3),
    }
}

#[test]
fn the_added_term_does_not_change_the_epsilon() {
    assert_eq!(
        SQUARED_LENGTH_EPSILON.sqrt() + LENGTH_EPSILON,
        LENGTH_EPSILON
    );
}

#[test]
fn columns_get_unit_length_and_zero_columns_stay() {
    for (name, device) in devices() {
        // Two columns of two channels: (3, 4) and (0, 0).
        let x = Tensor::<4>::from_data([[[[3.0, 0.0]], [[4.0, 0.0]]]], &device);
        assert_close(
            name,
            &values(normalize_columns(x)),
            &[0.6, 0.0, 0.8, 0.0],
            1e-6,
        );
    }
}

#[test]
fn a_column_of_length_five_against_an_axis() {
    for (name, device) in devices() {
        let x = Tensor::<4>::from_data([[[[3.0]], [[4.0]]]], &device);
        let target = Tensor::<4>::from_data([[[[1.0]], [[0.0]]]], &device);
        let head = Tensor::<4>::from_data([[[[2.0]], [[10.0]]]], &device);
        // 2 (0.6 - 1)^2 + 10 (0.8 - 0)^2
        let distance = feature_distance(x, target, head, Reduction::Mean);
        assert_close(name, &values(distance), &[6.72], 1e-6);
    }
}

#[test]
fn values_and_gradients_follow_the_definition() {
    for (name, device) in devices() {
        for (reduction, target_batch) in [
            (Reduction::None, 2),
            (Reduction::Mean, 2),
            (Reduction::Mean, 1),
        ] {
            let what = format!("{name}, {reduction:?}, {target_batch} targets");
            let autodiff = device.clone().autodiff();
            let [_, channels, height, width] = SHAPE;
            let head = tensor("head", [1, channels, 1, 1], &device);
            let run = |operation: fn(Tensor<4>, Tensor<4>, Tensor<4>, Reduction) -> Tensor<4>| {
                let x = tensor("x", SHAPE, &autodiff).require_grad();
                let target = [target_batch, channels, height, width];
                let target = tensor("target", target, &autodiff).require_grad();
                let y = operation(x.clone(), target.clone(), head.clone(), reduction);
                let probe = tensor("probe", y.dims(), &device);
                let gradients = (y.clone() * probe).sum().backward();
                let gradient =
                    |of: &Tensor<4>| values(of.grad(&gradients).expect("it is required"));
                (values(y), gradient(&x), gradient(&target))
            };
            let (y, at_x, at_target) = run(feature_distance);
            let (expected_y, expected_at_x, expected_at_target) = run(by_definition);
            // Two orders of summation in f32.
            assert_close(&what, &y, &expected_y, 1e-6);
            assert_close(&what, &at_x, &expected_at_x, 1e-5);
            assert_close(&what, &at_target, &expected_at_target, 1e-5);
        }
    }
}

#[test]
fn gradient_by_differences() {
    let x = testkit::seeded("x", SHAPE.iter().product(), 1.0);
    for (_, device) in devices() {
        // Step^2 of truncation and 1e-7 / step of rounding.
        assert_gradient("feature distance", &device, SHAPE, &x, 1e-2, 2e-3, |x| {
            let device = x.device().without_autodiff();
            let target = normalize_columns(tensor("target", SHAPE, &device));
            let head = tensor("head", [1, SHAPE[1], 1, 1], &device);
            feature_distance(x, target, head, Reduction::None).sum()
        });
    }
}

#[test]
fn zero_and_tiny_columns_have_finite_gradients() {
    for (name, device) in devices() {
        for magnitude in [0.0, 1e-30, 1e-18, 1e-12, 1e-8] {
            let x = Tensor::<4>::full([1, 3, 2, 2], magnitude, &device.clone().autodiff())
                .require_grad();
            let target = normalize_columns(tensor("target", [1, 3, 2, 2], &device));
            let head = Tensor::ones([1, 3, 1, 1], &device);
            let distance = feature_distance(x.clone(), target, head, Reduction::Mean);
            let gradients = distance.sum().backward();
            let gradient = values(x.grad(&gradients).expect("it is required"));
            assert!(
                gradient.iter().all(|g| g.is_finite()),
                "{name}, {magnitude}: {gradient:?}"
            );
        }
    }
}

#[cfg(feature = "cpu")]
#[test]
fn the_composed_version_agrees_with_the_processor_s_own() {
    use burn::backend::flex::{Flex, FlexTensor};

    use super::backend::{FeatureDistanceGradientOps, FeatureDistanceOps};

    // Enough features that the work is shared by threads.
    let shape = [2, 64, 24, 24];
    let flex = |name: &str, shape: [usize; 4]| {
        FlexTensor::from_data(TensorData::new(
            testkit::seeded(name, shape.iter().product(), 1.0),
            shape,
        ))
    };
    let slice = |x: &FlexTensor| x.as_slice::<f32>().expect("contiguous f32").to_vec();
    for reduction in [Reduction::None, Reduction::Mean] {
        let (x, target, head) = (
            flex("x", shape),
            flex("target", shape),
            flex("head", [1, 64, 1, 1]),
        );
        let own = Flex::feature_distance(x.clone(), target.clone(), head.clone(), reduction);
        let composed =
            composed::feature_distance::<Flex>(x.clone(), target.clone(), head.clone(), reduction);
        assert!(relative_l2(&slice(&own), &slice(&composed)) < 1e-6);
        let gradient = flex("gradient", own.layout().shape().dims());
        let own = Flex::feature_distance_gradient(
            gradient.clone(),
            x.clone(),
            target.clone(),
            head.clone(),
            reduction,
        );
        let composed = composed::gradient_at_x::<Flex>(gradient, x, target, head, reduction);
        assert!(relative_l2(&slice(&own), &slice(&composed)) < 1e-5);
    }
}
