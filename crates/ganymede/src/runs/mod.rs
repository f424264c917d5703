//! What the programs that train share: what a run starts from, its folder, samples, plot and finished networks.

pub mod export;
pub mod plot;
pub mod provenance;
pub mod run_folder;
pub mod samples;
pub mod standing;
pub mod start;
pub mod vision_networks;
