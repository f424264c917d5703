//! A hash of what a file holds, by which damage is found that leaves a file well-formed.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::StoredDType;

/// The metadata entry of the hash. Files from elsewhere have none.
pub(crate) const CONTENT_SHA256: &str = "content_sha256";

/// SHA-256 of all metadata entries but [`CONTENT_SHA256`], then of all tensors, both in the order of their names: of each its name, element type,
/// shape and bytes, every text and list after its length as 64 bits. It does not depend on how the file arranges them.
pub(crate) fn digest<'t>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'t str, StoredDType, &'t [usize], &'t [u8])>,
) -> String {
    let mut hash = Sha256::new();
    let entries = metadata.iter().filter(|(key, _)| *key != CONTENT_SHA256);
    for (key, value) in entries {
        update(&mut hash, b"metadata");
        update(&mut hash, key.as_bytes());
        update(&mut hash, value.as_bytes());
    }
    for (name, dtype, shape, bytes) in tensors {
        update(&mut hash, b"tensor");
        update(&mut hash, name.as_bytes());
        update(&mut hash, dtype.safetensors_name().as_bytes());
        hash.update((shape.len() as u64).to_le_bytes());
        for extent in shape {
            hash.update((*extent as u64).to_le_bytes());
        }
        update(&mut hash, bytes);
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn update(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
