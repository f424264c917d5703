//! Files: what is written is read again; anything else is refused without a panic.

use std::path::Path;

use feature_stats::{Ddof, MeanCovariance, Moments, Pca, StatsError};
use testkit::seeded;

const DIMENSION: usize = 4;

fn moments() -> Moments {
    let mut moments = Moments::new(DIMENSION);
    moments
        .add_slice(&seeded("rows", 40 * DIMENSION, 1.0))
        .unwrap();
    moments
}

#[test]
fn what_is_saved_is_loaded_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let mut original = moments();
    original.save(&path).unwrap();
    let mut resumed = Moments::load(&path).unwrap();
    let more = seeded("more", 7 * DIMENSION, 1.0);
    original.add_slice(&more).unwrap();
    resumed.add_slice(&more).unwrap();
    assert_eq!(resumed.count(), 47);
    let statistics = resumed.mean_covariance(Ddof::Sample).unwrap();
    assert_eq!(statistics, original.mean_covariance(Ddof::Sample).unwrap());

    statistics.save(&path).unwrap();
    assert_eq!(MeanCovariance::load(&path).unwrap(), statistics);
    let pca = Pca::fit(&statistics, 3).unwrap();
    pca.save(&path).unwrap();
    assert_eq!(Pca::load(&path).unwrap(), pca);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a temporary file was left behind");
}

#[test]
fn a_file_of_another_kind_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("moments.safetensors");
    moments().save(&path).unwrap();
    let message = MeanCovariance::load(&path).unwrap_err().to_string();
    assert!(
        message.contains("feature moments") && message.contains("mean and covariance"),
        "{message}"
    );
    let missing = folder.path().join("missing");
    assert!(matches!(Pca::load(missing), Err(StatsError::Io { .. })));
    let unwritable = folder.path().join("no folder/file");
    assert!(matches!(
        moments().save(unwritable),
        Err(StatsError::Io { .. })
    ));
}

/// Replaces the first `from` by as many bytes of `to`.
fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|w| w == from.as_bytes())
        .unwrap();
    let mut changed = bytes.to_vec();
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    changed
}

#[test]
fn each_mismatch_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pca.safetensors");
    let statistics = moments().mean_covariance(Ddof::Sample).unwrap();
    Pca::fit(&statistics, DIMENSION)
        .unwrap()
        .save(&path)
        .unwrap();
    // As a file of others, which has no digest.
    let original = replace(
        &std::fs::read(&path).unwrap(),
        "content_sha256",
        "Content_sha256",
    );
    let cases = [
        (
            replace(&original, "\"variances\"", "\"variancez\""),
            "\"variancez\"",
        ),
        (replace(&original, "[4,4]", "[4,1]"), ""),
        (replace(&original, "F64", "I64"), "I64"),
        (original[..original.len() - 8].to_vec(), ""),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let message = Pca::load(&path).unwrap_err().to_string();
        assert!(
            message.contains("principal components") && message.contains(expected),
            "{message}"
        );
    }
    let mut nan = original.clone();
    let length = nan.len();
    nan[length - 8..].copy_from_slice(&f64::NAN.to_le_bytes());
    std::fs::write(&path, nan).unwrap();
    let message = Pca::load(&path).unwrap_err().to_string();
    assert!(message.contains("NaN"), "{message}");
}

/// Whether a byte is part of a text that the file holds once.
fn covers(bytes: &[u8], at: usize, text: &str) -> bool {
    let mut windows = bytes.windows(text.len());
    let start = windows.position(|w| w == text.as_bytes()).unwrap();
    (start..start + text.len()).contains(&at)
}

#[test]
fn files_without_a_digest_load_and_those_with_a_wrong_one_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let statistics = moments().mean_covariance(Ddof::Sample).unwrap();
    statistics.save(&path).unwrap();
    let original = std::fs::read(&path).unwrap();
    // A mean of another number, which is a mean all the same.
    let mut changed = original.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    let message = MeanCovariance::load(&path).unwrap_err().to_string();
    assert!(
        message.contains("file.safetensors") && message.contains("changed or damaged"),
        "{message}"
    );
    // As files of others are, which have an entry of another name.
    std::fs::write(&path, replace(&changed, "content_sha256", "Content_sha256")).unwrap();
    MeanCovariance::load(&path).unwrap();
}

#[test]
fn mutations_never_panic_and_are_seen() {
    type Load = fn(&Path) -> Result<(), StatsError>;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let statistics = moments().mean_covariance(Ddof::Sample).unwrap();
    let loads: [Load; 3] = [
        |path| Moments::load(path).map(drop),
        |path| MeanCovariance::load(path).map(drop),
        |path| Pca::load(path).map(drop),
    ];
    for (kind, load) in loads.into_iter().enumerate() {
        match kind {
            0 => moments().save(&path).unwrap(),
            1 => statistics.save(&path).unwrap(),
            _ => Pca::fit(&statistics, 2).unwrap().save(&path).unwrap(),
        }
        let original = std::fs::read(&path).unwrap();
        for at in 0..original.len() {
            for flip in [0x01, 0x80] {
                let mut bytes = original.clone();
                bytes[at] ^= flip;
                std::fs::write(&path, bytes).unwrap();
                // The digest covers all numbers, and the format all of the header but its padding and the digest's own
                // name.
                let is_digest = covers(&original, at, "content_sha256");
                let is_padding = original[at] == b' ';
                assert!(
                    load(&path).is_err() || is_digest || is_padding,
                    "{flip:#x} in byte {at} was accepted"
                );
            }
            std::fs::write(&path, &original[..at]).unwrap();
            assert!(
                load(&path).is_err(),
                "{at} of {} bytes were accepted",
                original.len()
            );
        }
    }
}
