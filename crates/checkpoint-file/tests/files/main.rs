//! Reading of real, damaged and hostile files, and strict loading into modules.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod allocation;
mod changed_content;
mod damaged_files;
mod foreign_classes;
mod hostile_pickles;
mod load;
mod mutations;
mod numpy_files;
mod old_protocols;
mod pickle_writer;
mod reference_files;
mod safetensors_headers;
mod torch_script;
mod zip_writer;

#[global_allocator]
static ALLOCATOR: testkit::Counting = testkit::Counting;

fn reference(file: &str) -> Vec<u8> {
    let path = testkit::reference_path(env!("CARGO_MANIFEST_DIR"), &format!("checkpoints/{file}"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The message of the error that `bytes` must give.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    match checkpoint_file::Checkpoint::from_bytes("some.file", bytes) {
        Ok(checkpoint) => panic!("read as {checkpoint:?}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_refused(bytes: &[u8], parts: &[&str]) {
    let message = refusal(bytes);
    for part in parts.iter().chain(&["some.file"]) {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}
