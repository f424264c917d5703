//! A hash of what a file of tensors holds, by which damage is found that leaves a file well-formed.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The metadata entry of the hash. Files from elsewhere have none.
pub const CONTENT_SHA256: &str = "content_sha256";

/// SHA-256 of all metadata entries but [`CONTENT_SHA256`], then of all tensors, both in the order of their names: of
/// each its name, element type, shape and bytes, every text and list after its length as 64 bits. It does not depend on
/// how the file arranges them. In hexadecimal.
///
/// `tensors` are (name, element type as safetensors calls it, shape, bytes) in the order of their names.
///
/// ```
/// use std::collections::BTreeMap;
///
/// let metadata = BTreeMap::from([("kind".to_owned(), "example".to_owned())]);
/// let digest = |bytes: &[u8]| whole_file::content_sha256(&metadata, [("a", "U8", &[2][..], bytes)].into_iter());
/// assert_eq!(digest(&[1, 2]).len(), 64);
/// assert_ne!(digest(&[1, 2]), digest(&[1, 3]));
/// ```
pub fn content_sha256<'t>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'t str, &'t str, &'t [usize], &'t [u8])>,
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
        update(&mut hash, dtype.as_bytes());
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
