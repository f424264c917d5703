use burn::tensor::Device;
use serde::Deserialize;

use crate::Error;

/// Where a workload computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceName {
    /// Burn's Flex backend.
    #[default]
    Cpu,
    /// The default graphics adapter.
    Wgpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl DeviceName {
    /// The device; whether there is such hardware shows at its first use.
    ///
    /// # Errors
    /// When the backend is not compiled in.
    pub fn open(self) -> Result<Device, Error> {
        match self {
            #[cfg(feature = "cpu")]
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[cfg(not(all(feature = "cpu", feature = "wgpu", feature = "cuda")))]
            absent => Err(format!(
                "this build has no support for {absent:?}: build with the feature of that name"
            )
            .into()),
        }
    }
}
