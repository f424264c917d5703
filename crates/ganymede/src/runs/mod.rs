//! What jobs that train share: what a run starts from, its folder, its images, its frozen networks, samples, plot and
//! finished networks.

pub mod export;
pub mod image_sets;
pub mod plot;
pub mod provenance;
pub mod run_folder;
pub mod samples;
pub mod start;
pub mod vision_networks;
