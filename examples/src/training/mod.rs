//! What the programs that train share: what a run starts from, its folder, samples, plot and finished networks.

#![allow(dead_code, reason = "each program uses a part of it")]

pub mod export;
pub mod plot;
pub mod provenance;
pub mod run_folder;
pub mod samples;
pub mod start;
pub mod vision_networks;
