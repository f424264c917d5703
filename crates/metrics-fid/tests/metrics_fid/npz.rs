//! Files of numpy: what pytorch-fid and clean-fid write is read, anything else is refused without a panic and without
//! memory.

use std::io::Write;
use std::path::Path;

use metrics_fid::{MetricsError, read_npz_features, read_npz_statistics, write_npz_statistics};
use testkit::{Counting, peak_of};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::golden::{cloud, statistics};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A `.npy` file of version 1 with this dictionary.
fn npy(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{dictionary}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn write_npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in arrays {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn mean() -> (&'static str, Vec<u8>) {
    let dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
    ("mu.npy", npy(dictionary, &doubles(&[1.0, 2.0])))
}

fn reason(path: &Path) -> String {
    match read_npz_statistics(path) {
        Err(error @ MetricsError::Statistics { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statistics.npz");
    let original = statistics(&cloud("a", 20, 6, 1.0));
    write_npz_statistics(&path, &original).unwrap();
    assert_eq!(read_npz_statistics(&path).unwrap(), original);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// `numpy.savez` and `numpy.savez_compressed` of numpy 2, see `make_npz.py`.
#[test]
fn files_of_numpy_are_read() {
    let fixture = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/npz")
            .join(name)
    };
    for name in ["f64.npz", "f32_fortran.npz"] {
        let found = read_npz_statistics(fixture(name)).unwrap();
        assert_eq!(found.mean().to_vec(), [0.5, -1.0, 2.0], "{name}");
        let expected = ndarray::array![[4.0, 1.0, 0.0], [1.0, 3.0, 0.25], [0.0, 0.25, 2.0]];
        assert_eq!(found.covariance(), expected, "{name}");
    }
    let features = read_npz_features(fixture("features.npz")).unwrap();
    assert_eq!(
        features,
        ndarray::array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    );
    let pickled = reason(&fixture("object.npz"));
    assert!(
        pickled.contains("'|O'") && pickled.contains("pickles"),
        "{pickled}"
    );
}

#[test]
fn files_without_statistics_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    std::fs::write(&path, b"no archive").unwrap();
    assert!(reason(&path).contains("no zip archive"));
    write_npz(&path, &[mean()]);
    assert!(reason(&path).contains("\"sigma\""));
    let wrong = npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }",
        &doubles(&[0.0; 6]),
    );
    write_npz(&path, &[mean(), ("sigma.npy", wrong)]);
    assert!(reason(&path).contains("[2, 3], expected [2, 2]"));
    let asymmetric = npy(
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }",
        &doubles(&[1.0, 0.5, 0.0, 1.0]),
    );
    write_npz(&path, &[mean(), ("sigma.npy", asymmetric)]);
    assert!(reason(&path).contains("not symmetric"));
    assert!(matches!(
        read_npz_statistics(folder.path().join("none.npz")),
        Err(MetricsError::Io { .. })
    ));
}

#[test]
fn hostile_arrays_take_neither_memory_nor_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let sigma = |dictionary: &str, data: &[u8]| ("sigma.npy", npy(dictionary, data));
    let huge = |shape: &str| {
        let dictionary = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        sigma(&dictionary, &[0; 64])
    };
    let mut long_header = b"\x93NUMPY\x02\x00".to_vec();
    long_header.extend(u32::MAX.to_le_bytes());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        huge("(18446744073709551615, 18446744073709551615)"),
        huge("(4294967296, 4294967296)"),
        huge("(99999999999999999999999999, 2)"),
        huge("(8192, 8192)"),
        huge("(2, 2)"),
        huge("(-1, 2)"),
        huge("(2, 2, 1, 1)"),
        huge("()"),
        // What would take a recursive parser its stack, or one that goes back at every bracket for ever.
        sigma(&"(".repeat(1000), &[]),
        sigma(&format!("{}{}", "(".repeat(400), ")".repeat(400)), &[]),
        sigma(
            "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 2)}",
            &[0; 32],
        ),
        sigma(
            "{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2)}",
            &[0; 32],
        ),
        sigma("{'shape': (2, 2)}", &[0; 32]),
        sigma("\u{e9}", &[]),
        sigma("", &[]),
        ("sigma.npy", b"\x93NUMPY".to_vec()),
        ("sigma.npy", b"PICKLE......".to_vec()),
        ("sigma.npy", long_header),
    ];
    for (entry, bytes) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(90)]).into_owned();
        write_npz(&path, &[mean(), (entry, bytes)]);
        let (peak, message) = peak_of(|| reason(&path));
        assert!(message.contains("sigma"), "{shown}: {message}");
        // The archive's directory, buffers and the inflater's window.
        assert!(peak < 1 << 20, "{shown}: {peak} bytes");
    }
}

#[test]
fn mutated_files_do_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let small = statistics(&cloud("a", 9, 2, 1.0));
    write_npz_statistics(&path, &small).unwrap();
    let original = std::fs::read(&path).unwrap();
    for position in 0..original.len() {
        for change in [0xffu8, 0x01] {
            let mut bytes = original.clone();
            bytes[position] ^= change;
            std::fs::write(&path, &bytes).unwrap();
            // Some bytes carry nothing that counts (dates, attributes): then the numbers must be the same.
            if let Ok(found) = read_npz_statistics(&path) {
                assert_eq!(found, small, "byte {position}");
            }
        }
    }
    for length in 0..original.len() {
        std::fs::write(&path, &original[..length]).unwrap();
        assert!(read_npz_statistics(&path).is_err(), "cut to {length} bytes");
    }
}
