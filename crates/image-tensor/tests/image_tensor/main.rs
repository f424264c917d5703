//! Files to pixels to tensors and back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod decode;
mod grid;
mod refuse;
mod resize;
mod tensor;

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}
