//! Every kind of damage gives an error that names the file, and the tensor where one is concerned.

use checkpoint_file::{Checkpoint, CheckpointError};

use crate::pickle_writer::{Pickle, torch_stream};
use crate::zip_writer::{archive, entries, torch_archive};
use crate::{assert_refused, reference, refusal};

const FILES: [&str; 4] = [
    "nvidia_ada.pkl",
    "rosinality.pt",
    "rosinality_legacy.pt",
    "rosinality.expected.safetensors",
];

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    for file in FILES {
        let bytes = reference(file);
        let lengths = (0..64)
            .chain((1..200).map(|part| bytes.len() * part / 200))
            .chain(bytes.len() - 64..bytes.len());
        for length in lengths {
            refusal(&bytes[..length]);
        }
        assert_refused(&bytes[..bytes.len() / 2], &["truncated"]);
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for file in FILES {
        let mut bytes = reference(file);
        bytes.extend([0; 3]);
        if file == "rosinality.pt" {
            // A zip archive is found from its end, and three zeros are not one.
            assert!(Checkpoint::from_bytes(file, &bytes).is_ok());
            continue;
        }
        assert_refused(&bytes, &["3 bytes follow"]);
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    for (bytes, what) in [
        (&b""[..], "an empty file"),
        (b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html><html>", "an HTML or XML page"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"hello", "something else"),
    ] {
        assert_refused(bytes, &["not a checkpoint", what]);
    }
    let other = archive(&[("word/document.xml".to_owned(), b"<w/>".to_vec())]);
    assert_refused(
        &other,
        &["zip archive without data.pkl", "word/document.xml"],
    );
    assert_refused(
        &Pickle::new().list().stop(),
        &["a list of 0", "a dict of weights"],
    );
}

#[test]
fn a_missing_file_is_an_error_with_its_path() {
    let error = Checkpoint::open("no/such/file.pkl").unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }));
    assert!(error.to_string().contains("no/such/file.pkl"));
}

/// Name and content of the entry that holds `latent_avg`.
fn storage_of_latent_avg(bytes: &[u8]) -> (String, Vec<u8>) {
    let checkpoint = Checkpoint::from_bytes("whole", bytes).unwrap();
    let average = checkpoint.tensors()["latent_avg"].bytes();
    entries(bytes)
        .into_iter()
        .find(|(name, content)| name.contains("/data/") && content == average)
        .unwrap()
}

#[test]
fn a_changed_entry_of_an_archive_fails_its_checksum() {
    let mut bytes = reference("rosinality.pt");
    let (name, storage) = storage_of_latent_avg(&bytes);
    let at = bytes
        .windows(storage.len())
        .position(|window| window == storage)
        .unwrap();
    bytes[at] ^= 1;
    assert_refused(&bytes, &["tensor latent_avg", "checksum", &name]);
}

#[test]
fn missing_and_resized_storages_name_their_tensor() {
    let bytes = reference("rosinality.pt");
    let (storage, content) = storage_of_latent_avg(&bytes);
    let all = entries(&bytes);
    let without: Vec<_> = all
        .iter()
        .filter(|(name, _)| *name != storage)
        .cloned()
        .collect();
    assert_refused(
        &archive(&without),
        &["tensor latent_avg", "no entry", &storage],
    );
    let mut shorter = all;
    for (name, content) in &mut shorter {
        if *name == storage {
            content.truncate(content.len() - 4);
        }
    }
    let (left, expected) = (content.len() - 4, content.len());
    assert_refused(
        &archive(&shorter),
        &[
            "tensor latent_avg",
            &format!("has {left} bytes, expected {expected}"),
        ],
    );
}

#[test]
fn compressed_and_doubled_entries_are_refused() {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries(&reference("rosinality.pt")) {
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&content).unwrap();
    }
    let deflated = writer.finish().unwrap().into_inner();
    assert_refused(&deflated, &["compressed (method 8)"]);

    let mut doubled = entries(&reference("rosinality.pt"));
    doubled.push(doubled[0].clone());
    assert_refused(&archive(&doubled), &["two entries named", "data.pkl"]);
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let mut overlapping = archive(&[
        ("m/data.pkl".to_owned(), b"\x80\x02}.".to_vec()),
        ("m/data/0".to_owned(), vec![0; 8]),
    ]);
    // The directory's second entry, and in it the offset of its local header, to that of the first.
    let entry = overlapping
        .windows(4)
        .rposition(|window| window == b"PK\x01\x02")
        .unwrap();
    overlapping[entry + 42..entry + 46].fill(0);
    assert_refused(&overlapping, &["m/data.pkl", "m/data/0", "overlap"]);
}

#[test]
fn views_that_leave_their_storage_are_refused() {
    let content = [0u8; 16];
    for (offset, shape, strides, part) in [
        (
            0,
            &[5][..],
            &[1][..],
            "has more elements than its storage of 4",
        ),
        (1, &[4], &[1], "reach outside its storage of 4"),
        (0, &[2], &[4], "reach outside"),
        (-1, &[2], &[1], "reach outside"),
        (0, &[2], &[-1], "reach outside"),
        (0, &[-2], &[1], "reach outside"),
        (0, &[1000, 1000], &[0, 0], "more elements"),
        (0, &[2, 2], &[1], "differ in rank"),
        (2147483647, &[1], &[1], "reach outside"),
        (
            0,
            &[2147483647, 2147483647, 2147483647],
            &[1, 1, 1],
            "more elements",
        ),
        (0, &[2], &[2147483647], "reach outside"),
    ] {
        let mut pickle = Pickle::new();
        pickle.dict().text("net").dict().text("weight");
        pickle.torch_tensor("0", ("FloatStorage", 4), offset, shape, strides);
        let pickle = pickle.set_item().set_item().stop();
        for file in [
            torch_archive(&pickle, &[("0", &content)]),
            torch_stream(&pickle, &[("0", 4, &content)]),
        ] {
            assert_refused(&file, &["tensor net.weight", part]);
        }
    }
}

#[test]
fn streams_with_wrong_storages_are_refused() {
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .torch_tensor("0", ("FloatStorage", 2), 0, &[2], &[1]);
    let pickle = pickle.set_item().stop();
    let content = [0u8; 8];
    assert!(Checkpoint::from_bytes("x", &torch_stream(&pickle, &[("0", 2, &content)])).is_ok());
    assert_refused(
        &torch_stream(&pickle, &[]),
        &["tensor x", "storage 0 is not in the file"],
    );
    assert_refused(
        &torch_stream(&pickle, &[("0", 3, &content)]),
        &["has 3 elements, expected 2"],
    );
    assert_refused(
        &torch_stream(&pickle, &[("0", 2, &content), ("1", 2, &content)]),
        &["storage 1 that no tensor refers to"],
    );
    assert_refused(
        &torch_stream(&pickle, &[("0", 2, &content[..5])]),
        &["truncated"],
    );
}

#[test]
fn asking_for_a_network_that_is_not_there_lists_those_that_are() {
    let checkpoint = Checkpoint::from_bytes("some.file", &reference("nvidia_ada.pkl")).unwrap();
    let message = checkpoint.network("generator").unwrap_err().to_string();
    assert!(
        message.contains("no network generator; the file has G, D, G_ema"),
        "{message}"
    );
    let flat = reference("rosinality.expected.safetensors");
    let flat = Checkpoint::from_bytes("some.file", &flat).unwrap();
    let message = flat.network("G").unwrap_err().to_string();
    assert!(message.contains("only tensors"), "{message}");
}
