//! Any bytes as the file of a generator and of a discriminator.

#![no_main]

use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use libfuzzer_sys::fuzz_target;
use stylegan2::{Discriminator, Generator};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(checkpoint) = Checkpoint::from_bytes("fuzz", bytes) {
        let device = Device::flex();
        // Whether they are loaded or refused: a file can neither panic nor ask for more than it holds.
        let _ = Generator::from_checkpoint(&checkpoint, &device);
        let _ = Discriminator::from_checkpoint(&checkpoint, &device);
    }
});
