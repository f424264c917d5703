//! Files of `numpy.save` and `numpy.savez`.

use std::io::Write;

use checkpoint_file::{Checkpoint, Format, StoredDType};

use crate::zip_writer::archive;
use crate::{assert_refused, refusal};

/// An array as version 1 of the format writes it.
pub fn array(descr: &str, fortran: bool, shape: &str, content: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\0".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(content);
    file
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub fn deflated(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn arrays_of_every_order_are_read() {
    let content = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let read = |file: &[u8]| Checkpoint::from_bytes("x.npy", file).unwrap();
    let plain = read(&array("<f4", false, "(2, 3)", &content));
    assert_eq!(plain.format(), Some(Format::NumpyArray));
    assert_eq!(plain.tensors()["tensor"].shape(), [2, 3]);
    assert_eq!(plain.tensors()["tensor"].to_f32(), [1., 2., 3., 4., 5., 6.]);
    let fortran = read(&array("<f4", true, "(2, 3)", &content));
    assert_eq!(
        fortran.tensors()["tensor"].to_f32(),
        [1., 3., 5., 2., 4., 6.]
    );
    let big: Vec<u8> = [1.5f64, -2.0]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let big = read(&array(">f8", false, "(2,)", &big));
    assert_eq!(big.tensors()["tensor"].dtype(), StoredDType::F64);
    assert_eq!(big.tensors()["tensor"].to_f32(), [1.5, -2.0]);
    let objects = read(&array("|O", false, "()", b"\x80\x04cos\nsystem\n."));
    assert_eq!(objects.opaque()["tensor"], "|O");
}

#[test]
fn archives_are_read_stored_and_compressed() {
    let w = array(
        "<f4",
        false,
        "(1, 2, 3)",
        &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    );
    let text = array("<U2", false, "(1,)", &[0; 8]);
    let stored = archive(&[
        ("w.npy".to_owned(), w.clone()),
        ("names.npy".to_owned(), text.clone()),
        ("note.txt".to_owned(), b"hello".to_vec()),
    ]);
    let compressed = deflated(&[
        ("w.npy", w),
        ("names.npy", text),
        ("note.txt", b"hello".to_vec()),
    ]);
    for file in [stored, compressed] {
        let read = Checkpoint::from_bytes("x.npz", &file).unwrap();
        assert_eq!(read.format(), Some(Format::NumpyArchive));
        assert_eq!(read.tensors()["w"].shape(), [1, 2, 3]);
        assert_eq!(read.tensors()["w"].to_f32(), [1., 2., 3., 4., 5., 6.]);
        assert_eq!(read.tensors().len(), 1);
        assert_eq!(read.opaque()["names"], "<U2");
    }
}

#[test]
fn damaged_arrays_are_refused() {
    let whole = array("<f4", false, "(2,)", &floats(&[1.0, 2.0]));
    for length in 6..whole.len() {
        refusal(&whole[..length]);
    }
    for (shape, part) in [
        ("(3,)", "has 8 bytes"),
        ("(18446744073709551615,)", "expected a number"),
        ("(4294967296, 4294967296, 4294967296)", "has 8 bytes"),
        ("(1,)", "has 8 bytes"),
    ] {
        let file = array("<f4", false, shape, &floats(&[1.0, 2.0]));
        assert_refused(&file, &["numpy array", part]);
    }
    let mut version = whole.clone();
    version[6] = 9;
    assert_refused(&version, &["version 9"]);
    // A bomb: a megabyte of zeros in a kilobyte.
    let zeros = array("<f4", false, "(16777216,)", &vec![0; 1 << 26]);
    let bomb = deflated(&[("w.npy", zeros)]);
    assert_refused(&bomb, &["w.npy", "are accepted in a file of this size"]);
    let length = whole.len();
    let mut changed = archive(&[("w.npy".to_owned(), whole)]);
    // The last byte of the array, behind a local header and a name of 5 bytes.
    changed[30 + 5 + length - 1] ^= 1;
    assert_refused(&changed, &["w.npy"]);
}
