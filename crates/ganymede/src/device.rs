//! Opening a compute device, with an error where Burn would panic at the first tensor.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::backend::DispatchDevice;
use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use cubecl::Device as CubeDevice;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The processor
    #[default]
    Cpu,
    /// A graphics processor by Vulkan, Metal or Direct3D 12
    Wgpu,
    /// An NVIDIA graphics processor
    Cuda,
}

impl DeviceChoice {
    /// The device, after a look whether there is one.
    ///
    /// # Errors
    ///
    /// [`Error::Device`]: there is none, no support for it was compiled in, or the environment asks for instructions
    /// that nobody knows.
    pub fn open(self) -> Result<Device, Error> {
        match self {
            Self::Cpu => cpu(),
            Self::Wgpu => wgpu(),
            Self::Cuda => cuda(),
        }
    }

    /// Where a device computes.
    pub fn of(device: &Device) -> Self {
        match device.as_dispatch() {
            #[cfg(feature = "wgpu")]
            DispatchDevice::Cube(CubeDevice::Wgpu(_)) => Self::Wgpu,
            #[cfg(feature = "cuda")]
            DispatchDevice::Cube(CubeDevice::Cuda(_)) => Self::Cuda,
            _ => Self::Cpu,
        }
    }

    /// How many steps an optimization may run before its losses are read: reading makes a GPU wait.
    pub fn steps_between_reads(self) -> usize {
        match self {
            Self::Cpu => 1,
            Self::Wgpu | Self::Cuda => 10,
        }
    }
}

#[cfg(feature = "cpu")]
fn cpu() -> Result<Device, Error> {
    cpu_kernels::check_environment().map_err(|error| Error::Device(error.to_string()))?;
    Ok(Device::flex())
}

#[cfg(not(feature = "cpu"))]
fn cpu() -> Result<Device, Error> {
    Err(not_compiled("cpu"))
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Device, Error> {
    use burn::tensor::{DeviceKind, DeviceType};
    if !found(DeviceType::Wgpu) {
        return Err(Error::Device(
            "no graphics adapter found for the device wgpu: install a Vulkan, Metal or Direct3D 12 driver \
             (mesa-vulkan-drivers has a software one for Linux), or use cpu"
                .to_owned(),
        ));
    }
    Ok(Device::wgpu(DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<Device, Error> {
    Err(not_compiled("wgpu"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device, Error> {
    use burn::tensor::DeviceType;
    if !found(DeviceType::Cuda) {
        return Err(Error::Device(
            "no GPU found for the device cuda: it needs an NVIDIA GPU and the driver's libcuda; \
             check that nvidia-smi lists the GPU, or use cpu"
                .to_owned(),
        ));
    }
    Ok(Device::cuda(0))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device, Error> {
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
fn not_compiled(feature: &str) -> Error {
    Error::Device(format!(
        "this build has no {feature} support: build with `cargo run --release --features {feature}`"
    ))
}
