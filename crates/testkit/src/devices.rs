use burn::tensor::Device;

/// Names that [`devices`] is restricted to, with commas between them.
const CHOICE: &str = "TEST_DEVICES";

/// Every device that the enabled features allow tests to run on, with its name; fewer where the environment variable
/// `TEST_DEVICES` names some, such as `flex,wgpu` for a build with `cuda` on a machine without an NVIDIA GPU.
///
/// `flex` is Burn's backend for the CPU; `wgpu` the default adapter (software Vulkan where there is no GPU); `cuda` the
/// first GPU.
///
/// # Panics
/// When `TEST_DEVICES` names a device that is not compiled in: a test that ran on none would pass.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = compiled_in();
    if let Ok(choice) = std::env::var(CHOICE) {
        let chosen: Vec<_> = choice.split(',').collect();
        for name in &chosen {
            assert!(
                devices.iter().any(|(device, _)| device == name),
                "{CHOICE} names {name}, which is not compiled in: expected some of {:?}",
                devices.iter().map(|(device, _)| device).collect::<Vec<_>>()
            );
        }
        devices.retain(|(device, _)| chosen.contains(device));
    }
    devices
}

fn compiled_in() -> Vec<(&'static str, Device)> {
    vec![
        #[cfg(feature = "cpu")]
        ("flex", Device::flex()),
        #[cfg(feature = "wgpu")]
        (
            "wgpu",
            Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        ),
        #[cfg(feature = "cuda")]
        ("cuda", Device::cuda(0)),
    ]
}
