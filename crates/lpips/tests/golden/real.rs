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
/// Rounding VGG16's weights to f16 (2^-11 relative) moves LPIPS by at most 2.9e-5 on the reference's pairs in f64, and
/// turns the gradient by 2 %, as ReLUs and poolings switch; 0.1 % is the limit under which the repository stores f16 at
/// all.
const F16: Tolerance = Tolerance {
    values: 1e-3,
    gradients: 4e-2,
};
/// Equal images.
const EQUAL: f32 = 1e-10;

/// `u8 / 127.5 - 1` as `[batch, 3, height, width]`. The file's pixels are interleaved (RGBRGB...), although it calls
/// their shape `[batch, 3, height, width]`.
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

#[test]
fn weights_are_read_under_the_names_that_they_are_published_with() {
    let device = Device::flex();
    let (network, version) = (LpipsNetwork::AlexNet, Version::V0_1);
    let folder = tempfile::tempdir().unwrap();
    let expected = Lpips::load(network, version, shipped(), &device).unwrap();
    let missing = |what: &str| {
        let error = Lpips::load(network, version, folder.path(), &device).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(what), "{text}");
    };
    let folder_name = folder.path().display().to_string();
    missing(&format!(
        "{folder_name}: expected one of alexnet.safetensors, alexnet-owt-7be5be79.pth"
    ));
    missing("torchvision publishes it");
    let copy = |from: &str, to: &str| std::fs::copy(shipped().join(from), folder.path().join(to));
    copy("alexnet.safetensors", "alexnet-owt-7be5be79.pth").unwrap();
    missing("v0.1/alex.pth");
    std::fs::create_dir(folder.path().join("v0.1")).unwrap();
    copy("lpips_v0.1_alex.safetensors", "v0.1/alex.pth").unwrap();
    let found = Lpips::load(network, version, folder.path(), &device).unwrap();
    let images = |name: &str| {
        let values = testkit::seeded(name, 3 * 64 * 64, 0.5);
        Tensor::<4>::from_data(TensorData::new(values, [1, 3, 64, 64]), &device)
    };
    let distance = |metric: &Lpips| {
        let distance = metric.distance(images("a"), images("b")).unwrap();
        distance.into_scalar::<f32>()
    };
    assert_eq!(distance(&found), distance(&expected));
}
