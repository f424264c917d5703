use burn::tensor::Device;

/// Every device that the enabled features allow tests to run on, with its name.
///
/// `cpu` gives Burn's Flex backend; `wgpu` gives the default adapter (software Vulkan where there is no GPU); `cuda` the first GPU.
pub fn devices() -> Vec<(&'static str, Device)> {
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
