//! Any bytes as a file.
//!
//! From the folder above this one, for this target as for the others, which take their own names:
//! `mkdir -p fuzz/corpus/file && cargo +nightly fuzz run file fuzz/corpus/file crates/checkpoint-file/tests/fixtures/checkpoints`.

#![no_main]

use checkpoint_file::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::from_bytes("fuzz", bytes) {
        for tensor in checkpoint.tensors().values() {
            assert_eq!(
                tensor.bytes().len(),
                tensor.shape().iter().product::<usize>() * tensor.dtype().size()
            );
        }
        for network in checkpoint.networks() {
            checkpoint
                .network(network.name())
                .expect("a listed network is there");
        }
    }
});
