//! Headers of safetensors that do not fit the data.

use std::collections::BTreeMap;

use checkpoint_file::{
    Checkpoint, Format, StoredDType, StoredTensor, safetensors_metadata, save_safetensors,
};

use crate::assert_refused;

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[test]
fn metadata_and_empty_tensors_are_read() {
    let header = r#"{"__metadata__":{"config":"{}"},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},
        "s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}"#;
    let read = Checkpoint::from_bytes("x", &file(header, &2.5f64.to_le_bytes())).unwrap();
    assert_eq!(read.metadata()["config"], "{}");
    assert_eq!(read.tensors()["e"].shape(), [0, 3]);
    assert_eq!(read.tensors()["s"].to_f32(), [2.5]);
}

#[test]
fn metadata_is_read_without_the_data_and_types_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixed.safetensors");
    let tensors = BTreeMap::from([
        ("f".to_owned(), StoredTensor::from_f32(vec![1], &[0.1])),
        (
            "d".to_owned(),
            StoredTensor::new(StoredDType::F64, vec![1], 0.1f64.to_le_bytes().to_vec()),
        ),
    ]);
    let metadata = BTreeMap::from([("kind".to_owned(), "test".to_owned())]);
    save_safetensors(&path, &tensors, &metadata, None).unwrap();
    let read = Checkpoint::open(&path).unwrap();
    for (name, tensor) in &tensors {
        assert_eq!(read.tensors()[name].dtype(), tensor.dtype());
        assert_eq!(read.tensors()[name].bytes(), tensor.bytes());
    }
    assert_eq!(safetensors_metadata(&path).unwrap(), metadata);

    // Of a file that was cut within its data the metadata is there all the same.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&path, &bytes).unwrap();
    assert!(Checkpoint::open(&path).is_err());
    assert_eq!(safetensors_metadata(&path).unwrap(), metadata);

    // No length is believed, and no other file is taken for one.
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(&bytes[8..]);
    for wrong in [
        &long[..],
        &bytes[..7],
        &bytes[..40],
        &b"PK\x03\x04 and more"[..],
        &[],
    ] {
        std::fs::write(&path, wrong).unwrap();
        let message = safetensors_metadata(&path).unwrap_err().to_string();
        assert!(message.contains("mixed.safetensors"), "{message}");
    }
}

#[test]
fn headers_of_every_length_are_read() {
    for length in 2..=3000 {
        let header = format!("{:length$}", "{}");
        let read = Checkpoint::from_bytes("x", &file(&header, &[])).unwrap();
        assert_eq!(read.format(), Some(Format::Safetensors), "{length}");
    }
}

#[test]
fn tensors_of_other_types_only_fail_where_they_are_asked_for() {
    let header = r#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]},
        "n":{"dtype":"U64","shape":[1],"data_offsets":[1,9]}}"#;
    let read = Checkpoint::from_bytes("some.file", &file(header, &[1; 9])).unwrap();
    assert_eq!(read.tensors()["n"].dtype(), StoredDType::U64);
    assert_eq!(read.opaque()["w"], "F8_E4M3");
    let device = &testkit::devices()[0].1;
    let message = read.tensor::<1>("w", device).unwrap_err().to_string();
    for part in ["some.file", "tensor w", "F8_E4M3", "F32, F16"] {
        assert!(message.contains(part), "{message}");
    }
    // Bytes hide behind such a type as little as behind another.
    let header = r#"{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
    assert_refused(&file(header, &[1; 9]), &["8 bytes follow the last tensor"]);
}

#[test]
fn each_contradiction_is_named() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    for (header, data, parts) in [
        (
            entry("F32", "[2]", "[0,4]"),
            4,
            &["tensor w", "4 bytes, expected 8"][..],
        ),
        (
            entry("F32", "[2]", "[0,8]"),
            4,
            &["tensor w", "which has 4", "truncated"],
        ),
        (entry("F32", "[1]", "[8,4]"), 8, &["tensor w", "8 to 4"]),
        (
            entry("F32", "[1]", "[4,8]"),
            8,
            &["tensor w", "starts at byte 4 of the data, expected 0"],
        ),
        (
            entry("F32", "[1]", "[0,4]"),
            6,
            &["2 bytes follow the last tensor"],
        ),
        (
            entry("F32", "[4294967296,4294967296]", "[0,4]"),
            4,
            &["tensor w", "more than can be addressed"],
        ),
        (entry("F32", "[-1]", "[0,4]"), 4, &["header"]),
        (entry("F32", "[1.5]", "[0,4]"), 4, &["header"]),
        (entry("F32", "[1]", "[0]"), 4, &["header"]),
        ("{\"w\": 3}".to_owned(), 0, &["header"]),
        ("{\"w\"".to_owned(), 0, &["header"]),
    ] {
        assert_refused(&file(&header, &vec![0; data]), parts);
    }
    let doubled = r#"{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#;
    assert_refused(&file(doubled, &[0; 2]), &["two tensors have one name"]);
    let overlap = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#;
    assert_refused(&file(overlap, &[0; 3]), &["tensor b", "starts at byte 1"]);
    let mut nested = "{\"w\":".to_owned();
    nested.push_str(&"[".repeat(100_000));
    assert_refused(&file(&nested, &[]), &["header"]);
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(b"{}");
    assert_refused(
        &long,
        &["bytes of the safetensors header, at most 100000000"],
    );
}
