//! What requests are answered with, a file for each subject.

pub mod dragging;
pub mod images;
pub mod inversion;
pub mod jobs;
pub mod models;
pub mod pictures;
pub mod search;
pub mod status;
pub mod tuned;
