//! Images without differences, without features, and too small.

use burn::tensor::{Device, Tensor, TensorData};
use lpips::{LpipsError, LpipsNetwork, Version};

use crate::values;
use crate::weights::{NETWORKS, seeded_lpips};

fn finite(values: &[f32]) -> bool {
    values.iter().all(|v| v.is_finite())
}

/// Seeded images of 40 x 40 pixels on an autodiff device.
fn image(name: &str) -> Tensor<4> {
    let values = testkit::seeded(name, 3 * 40 * 40, 0.5);
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, [1, 3, 40, 40]), &device)
}

#[test]
fn equal_images_have_no_gradient() {
    for network in NETWORKS {
        let lpips = seeded_lpips(network, Version::V0_1, &Device::flex());
        let target = lpips.prepare(image("equal")).unwrap();
        let gradient = |name| {
            let x = image(name).require_grad();
            let gradients = lpips.distance_to(&target, x.clone()).sum().backward();
            values(x.grad(&gradients).unwrap())
        };
        let norm = |values: Vec<f32>| values.iter().map(|v| v * v).sum::<f32>().sqrt();
        let (equal, different) = (norm(gradient("equal")), norm(gradient("different")));
        // Features normalized in two ways differ by a unit in the last place, 6e-8; with NaN this fails.
        assert!(
            equal <= 1e-6 * different,
            "{network}: {equal} beside {different}"
        );
    }
}

#[test]
fn the_least_size_works_and_one_pixel_less_is_an_error() {
    let device = Device::flex();
    for network in NETWORKS {
        let lpips = seeded_lpips(network, Version::V0_1, &device);
        let least = network.min_size();
        let image = |height, width| Tensor::<4>::ones([1, 3, height, width], &device);
        let target = lpips.prepare(image(least, least)).unwrap();
        let distance = lpips.distance_to(&target, image(least, least) * 0.5);
        assert!(finite(&values(distance)), "{network}");
        match lpips.prepare(image(least - 1, 64)) {
            Err(LpipsError::ImageTooSmall {
                height,
                width,
                minimum,
                ..
            }) => {
                assert_eq!([height, width, minimum], [least - 1, 64, least]);
            }
            other => panic!("{network}: {other:?}"),
        }
        let message = lpips
            .distance(image(1, 1), image(1, 1))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("1 x 1") && message.contains(&least.to_string()),
            "{message}"
        );
    }
}

#[test]
#[should_panic = "the targets were prepared by another metric"]
fn targets_of_another_network_are_refused() {
    let device = Device::flex();
    let image = Tensor::<4>::ones([1, 3, 40, 40], &device);
    let target = seeded_lpips(LpipsNetwork::SqueezeNet, Version::V0_1, &device)
        .prepare(image.clone())
        .unwrap();
    let _ =
        seeded_lpips(LpipsNetwork::SqueezeNet, Version::V0_0, &device).distance_to(&target, image);
}

#[test]
#[should_panic = "images of one shape"]
fn targets_of_another_size_are_refused() {
    let device = Device::flex();
    let lpips = seeded_lpips(LpipsNetwork::SqueezeNet, Version::V0_1, &device);
    let target = lpips
        .prepare(Tensor::ones([1, 3, 40, 40], &device))
        .unwrap();
    let _ = lpips.distance_to(&target, Tensor::ones([1, 3, 40, 41], &device));
}

#[test]
fn images_that_are_not_rgb_are_refused_with_what_to_do() {
    let device = Device::flex();
    let lpips = seeded_lpips(LpipsNetwork::SqueezeNet, Version::V0_1, &device);
    let gray = Tensor::<4>::ones([1, 1, 40, 40], &device);
    let found = lpips.prepare(gray.clone()).unwrap_err();
    assert!(
        matches!(found, LpipsError::Channels { found: 1 }),
        "{found}"
    );
    let found = lpips.distance(gray.clone(), gray).unwrap_err();
    assert!(found.to_string().contains("three times"), "{found}");
}
