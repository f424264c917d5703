//! Configurations: the arguments of the official constructors, as JSON or as Rust values.

mod activation;
mod discriminator;
mod generator;
mod infer;
mod limits;
mod resample_taps;

pub use activation::ActivationName;
pub use discriminator::{BlockConfig, DiscriminatorConfig, EpilogueConfig};
pub use generator::{Architecture, GeneratorConfig, MappingConfig, SynthesisConfig};
pub use resample_taps::ResampleTaps;

pub(crate) use limits::{MAX_MAPPING_LAYERS, MIN_RESOLUTION};
