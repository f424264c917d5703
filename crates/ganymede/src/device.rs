//! Opening a compute device, with an error where Burn would panic at the first tensor.

use burn::tensor::Device;
use clap::ValueEnum;

use crate::Failure;

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// The processor
    Cpu,
    /// A graphics processor by Vulkan, Metal or Direct3D 12
    Wgpu,
    /// An NVIDIA graphics processor
    Cuda,
}

impl DeviceChoice {
    /// The device, after a look whether there is one.
    pub fn open(self) -> Result<Device, Failure> {
        match self {
            Self::Cpu => cpu(),
            Self::Wgpu => wgpu(),
            Self::Cuda => cuda(),
        }
    }

    /// How many steps an optimisation may run before its losses are read: reading makes a GPU wait.
    pub fn steps_between_reads(self) -> usize {
        match self {
            Self::Cpu => 1,
            Self::Wgpu | Self::Cuda => 10,
        }
    }
}

#[cfg(feature = "cpu")]
fn cpu() -> Result<Device, Failure> {
    Ok(Device::flex())
}

#[cfg(not(feature = "cpu"))]
fn cpu() -> Result<Device, Failure> {
    Err(not_compiled("cpu"))
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Device, Failure> {
    use burn::tensor::{DeviceKind, DeviceType};
    if !found(DeviceType::Wgpu) {
        return Err(
            "no graphics adapter found for --device wgpu: install a Vulkan, Metal or Direct3D 12 driver \
             (mesa-vulkan-drivers has a software one for Linux), or use --device cpu"
                .into(),
        );
    }
    Ok(Device::wgpu(DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<Device, Failure> {
    Err(not_compiled("wgpu"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device, Failure> {
    use burn::tensor::DeviceType;
    if !found(DeviceType::Cuda) {
        return Err(
            "no GPU found for --device cuda: it needs an NVIDIA GPU and the driver's libcuda; \
             check that nvidia-smi lists the GPU, or use --device cpu"
                .into(),
        );
    }
    Ok(Device::cuda(0))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device, Failure> {
    Err(not_compiled("cuda"))
}

/// Whether the backend lists a device. Without its driver library a backend may panic, which here means no.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn found(device_type: burn::tensor::DeviceType) -> bool {
    use std::panic;
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let devices = panic::catch_unwind(|| Device::enumerate(device_type).len());
    panic::set_hook(hook);
    devices.is_ok_and(|count| count > 0)
}

#[cfg(not(all(feature = "cpu", feature = "wgpu", feature = "cuda")))]
fn not_compiled(feature: &str) -> Failure {
    format!(
        "this build has no {feature} support: build with `cargo run --release --features {feature} --example ...`"
    )
    .into()
}
