//! Work that the benchmarks repeat: inversion steps, synthesis passes and features of images, one at a time and timed
//! one by one.

mod device;
mod models;
mod stepper;
mod workload;

pub use device::DeviceName;
pub use models::{TargetImages, feature_extractor, official_generator, weights_folder};
pub use stepper::{Step, Stepper};
pub use workload::Workload;

/// Any error of a workload.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
