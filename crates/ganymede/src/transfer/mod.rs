//! Fine-tuning on few images, as a program runs it: measured on the way, continued where it was, and reported.

pub mod distance;
pub mod job;
pub mod options;
pub mod pictures;
pub mod ranking;
pub mod record;
pub mod run;
pub mod sheet;
pub mod snapshots;
pub mod stages;
