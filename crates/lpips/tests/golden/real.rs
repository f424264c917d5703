//! The weights that the repository ships, on pairs of photographs.

use burn::tensor::{Device, Tensor, TensorData};
use lpips::{Lpips, LpipsNetwork, Version};
use testkit::{Golden, assert_close, devices};

use crate::values;
use crate::weights::shipped;

/// How closely a network of the given stored precision must follow the reference.
struct Tolerance {
    values: f64,
    gradients: f64,
}

/// f32 weights are the reference's own; what remains is f32 against f64 arithmetic.
const F32: Tolerance = Tolerance {
    values: 1e-5,
    gradients: 1e-4,
};
/// Rounding VGG16's weights to f16 (2^-11 relative) moves LPIPS by at most 2.9e-5 on the reference's pairs in f64, and turns the gradient
/// by 2 %, as ReLUs and poolings switch; 0.1 % is the limit under which the repository stores f16 at all.
const F16: Tolerance = Tolerance {
    values: 1e-3,
    gradients: 4e-2,
};
/// Equal images.
const EQUAL: f32 = 1e-10;

/// `u8 / 127.5 - 1` as `[batch, 3, height, width]`. The file's pixels are interleaved (RGBRGB...), although it calls their shape `[batch, 3, height, width]`.
fn photograph(golden: &Golden, name: &str, device: &Device) -> Tensor<4> {
    let [batch, channels, height, width] = golden.shape(name).try_into().unwrap();
    let pixels = TensorData::new(golden.values(name), [batch, height, width, channels]);
    Tensor::<4>::from_data(pixels, device).permute([0, 3, 1, 2]) / 127.5 - 1.0
}

fn check(network: LpipsNetwork, tolerance: Tolerance) {
    let golden = Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "features/lpips_real.expected.safetensors",
    );
    let names = golden.names();
    let pairs: Vec<&str> = names
        .iter()
        .filter_map(|n| n.strip_suffix("/x_u8"))
        .collect();
    assert!(!pairs.is_empty());
    for (device_name, device) in devices() {
        let lpips = Lpips::load(network, Version::V0_1, shipped(), &device).unwrap();
        for pair in &pairs {
            let what = format!("{network}, {pair} on {device_name}");
            let x = photograph(&golden, &format!("{pair}/x_u8"), &device);
            let target = photograph(&golden, &format!("{pair}/y_u8"), &device);
            let target = lpips.prepare(target).unwrap();
            let expected = golden.values(&format!("{network}/{pair}"));
            let distance = values(lpips.distance_to(&target, x.clone()));
            if expected.iter().all(|d| *d == 0.0) {
                assert!(
                    distance.iter().all(|d| d.abs() <= EQUAL),
                    "{what}: {distance:?}"
                );
            } else {
                assert_close(&what, &distance, &expected, tolerance.values);
            }
            let gradient = format!("{network}/{pair}/grad_x");
            if golden.contains(&gradient) {
                let x = x.autodiff().require_grad();
                let gradients = lpips.distance_to(&target, x.clone()).sum().backward();
                let found = values(x.grad(&gradients).unwrap());
                assert_close(
                    &what,
                    &found,
                    &golden.values(&gradient),
                    tolerance.gradients,
                );
            }
        }
    }
}

#[test]
fn alexnet_on_photographs() {
    check(LpipsNetwork::AlexNet, F32);
}

#[test]
fn vgg16_on_photographs() {
    check(LpipsNetwork::Vgg16, F16);
}
