//! Files to pixels to tensors and back.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod decode;
mod grid;
mod refuse;
mod resize;
mod tensor;

/// Counts what decoding takes.
#[global_allocator]
static ALLOCATOR: testkit::Counting = testkit::Counting;

fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}
