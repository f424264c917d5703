//! SHA-256, in hexadecimal.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;

/// Of a file, which is read piece by piece.
///
/// # Errors
///
/// It cannot be read.
pub fn of_file(path: &Path) -> Result<String, Error> {
    const CHUNK: usize = 1 << 16;
    let unreadable = || Error::io(path, "cannot be read");
    let mut file = whole_file::open(path).map_err(unreadable())?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = file.read(&mut chunk).map_err(unreadable())?;
        if length == 0 {
            break;
        }
        hash.update(&chunk[..length]);
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// Of bytes in memory.
pub fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The first 16 digits for a text: enough for the name of a file that is kept for later.
pub fn short(text: &str) -> String {
    const BYTES: usize = 8;
    hexadecimal(&Sha256::digest(text)[..BYTES])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
