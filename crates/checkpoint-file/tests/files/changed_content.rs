//! Files of our own say what they held when they were written.

use std::collections::BTreeMap;
use std::path::Path;

use checkpoint_file::{
    Checkpoint, CheckpointError, FloatPrecision, StoredDType, StoredTensor, save_safetensors,
};

fn save(path: &Path, precision: FloatPrecision) {
    let tensors = BTreeMap::from([
        (
            "w".to_owned(),
            StoredTensor::from_f32(vec![2, 2], &[1.0, -2.0, 3.5, 0.25]),
        ),
        (
            "steps".to_owned(),
            StoredTensor::new(StoredDType::I64, vec![1], vec![7, 0, 0, 0, 0, 0, 0, 0]),
        ),
    ]);
    let metadata = BTreeMap::from([("config".to_owned(), r#"{"size": 64}"#.to_owned())]);
    save_safetensors(path, &tensors, &metadata, precision).unwrap();
}

#[test]
fn a_file_as_it_was_written_is_read_and_does_not_list_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    for precision in [
        FloatPrecision::F32,
        FloatPrecision::F16,
        FloatPrecision::BF16,
    ] {
        save(&path, precision);
        let read = Checkpoint::open(&path).unwrap();
        assert_eq!(read.metadata().len(), 1);
        // Saved again with what it says of itself, it gets its own hash.
        save_safetensors(&path, read.tensors(), read.metadata(), FloatPrecision::F32).unwrap();
        assert_eq!(
            Checkpoint::open(&path).unwrap().tensors()["w"].to_f32(),
            [1.0, -2.0, 3.5, 0.25]
        );
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    save(&path, FloatPrecision::F32);
    let original = std::fs::read(&path).unwrap();
    let whole = Checkpoint::open(&path).unwrap();
    for at in 0..original.len() {
        for bit in [0, 3, 7] {
            let mut changed = original.clone();
            changed[at] ^= 1 << bit;
            if let Ok(read) = Checkpoint::from_bytes("own", &changed) {
                // A blank into a tab around the header's values, or the same digit written otherwise: the content is
                // the same. Where the name of the hash itself is hit, the file is one without.
                let is_same =
                    read.tensors() == whole.tensors() && read.metadata() == whole.metadata();
                let lost_its_hash = read.metadata().len() > whole.metadata().len();
                assert!(is_same || lost_its_hash, "byte {at}, bit {bit}: {read:?}");
            }
        }
    }
}

#[test]
fn the_message_says_what_to_do_and_files_from_elsewhere_have_no_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    save(&path, FloatPrecision::F32);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = Checkpoint::open(&path).unwrap_err();
    assert!(matches!(error, CheckpointError::Changed { .. }), "{error}");
    for part in [
        "own.safetensors",
        "SHA-256",
        "content_sha256",
        "write or fetch it again",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    // The same without the entry, as another program writes it.
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"]
        .as_object_mut()
        .unwrap()
        .remove("content_sha256")
        .unwrap();
    let header = header.to_string();
    let mut without = (header.len() as u64).to_le_bytes().to_vec();
    without.extend(header.bytes());
    without.extend(&bytes[8 + length..]);
    let read = Checkpoint::from_bytes("foreign", &without).unwrap();
    assert_eq!(read.tensors()["steps"].shape(), [1]);
}
