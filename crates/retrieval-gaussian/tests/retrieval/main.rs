//! Scores, index files and evaluation: closed forms, invariants, damaged files, golden values.

mod closed_form;
mod damaged_files;
mod evaluation;
mod files;
mod golden;
mod invariants;
mod models;
