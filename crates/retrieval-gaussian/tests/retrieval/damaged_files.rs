//! Files that are no index, or were one: each is refused with a reason that names the file, none panics.

use std::path::Path;

use feature_stats::Pca;
use retrieval_gaussian::{
    Index, IndexFile, IndexPrecision, IndexSettings, Query, RetrievalError, RetrievalMethod,
    SearchOptions, Verification,
};

use crate::models::{builder, features, statistics};

const DIMENSION: usize = 6;

/// A file with every kind of segment.
fn original(path: &Path) -> Vec<u8> {
    let pca = Pca::fit(&statistics(&features("all", 50, DIMENSION)), 4).unwrap();
    let settings = IndexSettings::new(DIMENSION)
        .with_precision(IndexPrecision::F16)
        .with_projection(&pca)
        .unwrap();
    let mut file = IndexFile::create(path, &settings).unwrap();
    file.append(&builder(settings.clone(), 0..2)).unwrap();
    file.remove(&["m0"]).unwrap();
    file.append(&builder(settings, 2..4)).unwrap();
    std::fs::read(path).unwrap()
}

fn open(path: &Path, bytes: &[u8], verification: Verification) -> Result<Index, RetrievalError> {
    // A new file each time: the old one may be mapped.
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
    Index::open_with(path, verification)
}

#[test]
fn every_flipped_bit_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let original = original(&path);
    open(&path, &original, Verification::Full).unwrap();
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 1 << (at % 8);
        let error =
            open(&path, &bytes, Verification::Full).expect_err("a flipped bit was accepted");
        assert!(error.to_string().contains("index"), "{error}");
    }
}

#[test]
fn every_shortened_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let original = original(&path);
    for length in 0..original.len() {
        for verification in [Verification::Full, Verification::Tables] {
            let error = open(&path, &original[..length], verification).unwrap_err();
            match length {
                // An empty file cannot be mapped on every system.
                0 => {}
                1..64 => assert!(
                    matches!(error, RetrievalError::NotAnIndex { .. }),
                    "{error}"
                ),
                _ => assert!(matches!(error, RetrievalError::Truncated { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn another_version_and_other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut bytes = original(&path);
    bytes[8] = 9;
    let error = open(&path, &bytes, Verification::Full).unwrap_err();
    assert!(
        matches!(
            error,
            RetrievalError::UnsupportedVersion {
                found: 9,
                expected: 1,
                ..
            }
        ),
        "{error}"
    );
    let error = open(&path, &[b'{'; 100], Verification::Full).unwrap_err();
    assert!(
        matches!(error, RetrievalError::NotAnIndex { .. }),
        "{error}"
    );
}

#[test]
fn damaged_factors_are_found_when_they_are_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut bytes = original(&path);
    // The last 64 bytes are of the samples of the last models.
    let at = bytes.len() - 64;
    bytes[at] ^= 1;
    let index = open(&path, &bytes, Verification::Tables).unwrap();
    assert!(matches!(
        index.verify(),
        Err(RetrievalError::Checksum { .. })
    ));
}

/// Edges of what lengths and counts can be.
const EDGES: [u64; 8] = [0, 1, 0x7F, 0xFFFF, 0xFFFF_FFFF, 1 << 40, 1 << 63, u64::MAX];

/// splitmix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as usize
}

/// Makes the checksums of the file's and all segments' headers and tables right again, as far as their lengths allow.
fn repair(bytes: &mut [u8]) {
    let mut start = 64;
    fix_header(&mut bytes[..64]);
    while let Some(header) = bytes.get(start..start + 64) {
        let payload = u64::from_le_bytes(header[24..32].try_into().unwrap()) as usize;
        let end = (start + 64).saturating_add(payload).min(bytes.len());
        // Where the tables of a segment of models end does not follow from its header alone; what is changed in them is
        // seen by their checksum.
        if header[0] != 2 {
            let sum = crc(&bytes[start + 64..end]);
            bytes[start + 32..start + 36].copy_from_slice(&sum.to_le_bytes());
        }
        fix_header(&mut bytes[start..start + 64]);
        start = end;
    }
}

fn fix_header(header: &mut [u8]) {
    let sum = crc(&header[..60]);
    header[60..].copy_from_slice(&sum.to_le_bytes());
}

/// CRC-32 of ISO-HDLC, bit by bit: independent of the crate's.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |s, _| {
            (s >> 1) ^ (0xEDB8_8320 & (s & 1).wrapping_neg())
        })
    })
}

#[test]
fn lengths_with_right_checksums_are_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let original = original(&path);
    let query = Query::feature(&[0.5; DIMENSION]);
    let starts = {
        let mut starts = vec![0];
        let mut at = 64;
        while at < original.len() {
            starts.push(at);
            at += 64 + u64::from_le_bytes(original[at + 24..at + 32].try_into().unwrap()) as usize;
        }
        starts
    };
    let mut state = 1;
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = original.clone();
        for _ in 0..1 + next(&mut state) % 2 {
            // A field of a header, or a byte anywhere.
            let at = match next(&mut state) % 4 {
                0 => next(&mut state) % bytes.len(),
                _ => starts[next(&mut state) % starts.len()] + next(&mut state) % 15 * 4,
            };
            let width = [1, 4, 8][next(&mut state) % 3].min(bytes.len() - at);
            let edge = EDGES[next(&mut state) % EDGES.len()].to_le_bytes();
            bytes[at..at + width].copy_from_slice(&edge[..width]);
        }
        repair(&mut bytes);
        match open(&path, &bytes, Verification::Tables) {
            Ok(index) => {
                accepted += 1;
                // Whatever was accepted can be searched, with any numbers in it.
                for method in [
                    RetrievalMethod::GaussianDensity,
                    RetrievalMethod::MonteCarlo,
                ] {
                    let _ = index.search(&query, &SearchOptions::new(method));
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("index"), "{error}");
            }
        }
    }
    assert!(
        accepted > 100 && refused > 100,
        "{accepted} accepted, {refused} refused"
    );
}
