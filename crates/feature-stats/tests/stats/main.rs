//! Moments, Gaussian, principal components and their files: closed forms, invariants, damaged files, golden values.

mod closed_form;
mod files;
mod golden;
mod invariants;
