//! Index files: saved, mapped, appended to, removed from, locked.

use feature_stats::{Pca, Ridge};
use retrieval_gaussian::{
    Index, IndexBuilder, IndexFile, IndexPrecision, IndexSettings, Query, Ranking, RetrievalError,
    RetrievalMethod, SearchOptions, Verification,
};

use crate::models::{builder, features, index, statistics};

const DIMENSION: usize = 11;

fn settings(precision: IndexPrecision) -> IndexSettings {
    IndexSettings::new(DIMENSION).with_precision(precision)
}

fn search(index: &Index, method: RetrievalMethod) -> Ranking {
    let query = features("m1", 60, DIMENSION).row(50).to_vec();
    index
        .search(&Query::feature(&query), &SearchOptions::new(method))
        .unwrap()
}

#[test]
fn what_is_saved_is_mapped_and_scores_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let pca = Pca::fit(&statistics(&features("all", 50, DIMENSION)), 7).unwrap();
    let projected = settings(IndexPrecision::F16)
        .with_l2_normalization()
        .with_projection(&pca)
        .unwrap();
    for settings in [
        settings(IndexPrecision::F32),
        settings(IndexPrecision::F16),
        projected,
    ] {
        let original = index(settings, 5);
        original.save(&path).unwrap();
        for verification in [Verification::Full, Verification::Tables] {
            let mapped = Index::open_with(&path, verification).unwrap();
            mapped.verify().unwrap();
            assert_eq!(mapped.settings(), original.settings());
            assert_eq!(
                mapped.size_in_bytes(),
                std::fs::metadata(&path).unwrap().len()
            );
            for method in [
                RetrievalMethod::GaussianDensity,
                RetrievalMethod::MonteCarlo,
            ] {
                assert_eq!(search(&mapped, method), search(&original, method));
            }
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a temporary file was left behind"
    );
}

#[test]
fn appended_and_removed_models_give_the_index_that_was_built_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let settings = settings(IndexPrecision::F32);
    let mut file = IndexFile::create(&path, &settings).unwrap();
    assert!(Index::open(&path).unwrap().is_empty());
    file.append(&builder(settings.clone(), 0..3)).unwrap();
    let before = Index::open(&path).unwrap();
    let before_ranking = search(&before, RetrievalMethod::GaussianDensity);
    file.append(&builder(settings.clone(), 3..8)).unwrap();
    file.remove(&["m1", "m6"]).unwrap();
    drop(file);

    let mut file = IndexFile::open(&path).unwrap();
    assert_eq!(file.len(), 6);
    file.append(&builder(settings.clone(), 1..2)).unwrap();
    drop(file);
    let index = Index::open(&path).unwrap();
    let names: Vec<&str> = index.names().collect();
    assert_eq!(names, ["m0", "m2", "m3", "m4", "m5", "m7", "m1"]);
    assert!(!index.contains("m6"));

    let mut at_once = IndexBuilder::new(settings).unwrap();
    for name in &names {
        let rows = features(name, 3 * DIMENSION, DIMENSION);
        at_once
            .add_with_samples(name, &statistics(&rows), rows.view())
            .unwrap();
    }
    let at_once = at_once.build().unwrap();
    for method in [
        RetrievalMethod::GaussianDensity,
        RetrievalMethod::MonteCarlo,
    ] {
        assert_eq!(search(&index, method), search(&at_once, method));
    }
    // A reader from before goes on with what it knew, and a fresh copy is as small as one built at once.
    assert_eq!(
        search(&before, RetrievalMethod::GaussianDensity),
        before_ranking
    );
    index.save(&path).unwrap();
    let compact = Index::open(&path).unwrap();
    assert_eq!(compact.size_in_bytes(), at_once.size_in_bytes());
    assert_eq!(
        search(&compact, RetrievalMethod::MonteCarlo),
        search(&at_once, RetrievalMethod::MonteCarlo)
    );
}

#[test]
fn refused_changes_leave_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let settings = settings(IndexPrecision::F32);
    index(settings.clone(), 3).save(&path).unwrap();
    let original = std::fs::read(&path).unwrap();
    let mut file = IndexFile::open(&path).unwrap();
    assert!(matches!(
        file.append(&builder(settings.clone(), 2..5)),
        Err(RetrievalError::DuplicateModel { .. })
    ));
    assert!(matches!(
        file.remove(&["m0", "m9"]),
        Err(RetrievalError::UnknownModel { .. })
    ));
    assert!(matches!(
        file.remove(&["m0", "m0"]),
        Err(RetrievalError::UnknownModel { .. })
    ));
    let others = [
        settings.clone().with_precision(IndexPrecision::F16),
        settings.clone().with_ridge(Ridge::new(0.5).unwrap()),
        settings.clone().with_l2_normalization(),
    ];
    for other in others {
        let error = file.append(&builder(other, 3..4)).unwrap_err();
        assert!(
            matches!(error, RetrievalError::SettingsDiffer { .. }),
            "{error}"
        );
    }
    assert!(matches!(
        IndexFile::open(&path),
        Err(RetrievalError::Busy { .. })
    ));
    assert!(matches!(
        IndexFile::create(&path, &settings),
        Err(RetrievalError::Io { .. })
    ));
    drop(file);
    assert_eq!(std::fs::read(&path).unwrap(), original);
    assert!(matches!(
        Index::open(folder.path().join("none")),
        Err(RetrievalError::Io { .. })
    ));
    assert!(Index::open(folder.path()).is_err());
}

#[test]
fn an_append_that_was_cut_off_does_not_count_and_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let settings = settings(IndexPrecision::F16);
    index(settings.clone(), 2).save(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let append = |count| {
        IndexFile::open(&path)
            .unwrap()
            .append(&builder(settings.clone(), 2..count))
            .unwrap();
    };
    append(5);
    let after = std::fs::read(&path).unwrap();
    // A kill comes before the header that would make them count.
    let (header, _) = before.split_at(64);
    for appended in [64, 100, after.len() - before.len()] {
        let cut = [header, &after[64..before.len() + appended]].concat();
        std::fs::write(&path, cut).unwrap();
        assert_eq!(Index::open(&path).unwrap().len(), 2, "{appended}");
    }
    // Shorter than what was left.
    append(3);
    let names = Index::open(&path).unwrap();
    assert_eq!(names.names().collect::<Vec<_>>(), ["m0", "m1", "m2"]);
}

#[test]
fn bytes_that_no_append_has_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    index(settings(IndexPrecision::F32), 2).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let first_segment = &whole[64..128];
    for junk in [
        &b"x"[..],
        &[0xA5; 300],
        &[first_segment, &whole[..], &whole[..]].concat(),
    ] {
        std::fs::write(&path, [&whole, junk].concat()).unwrap();
        let message = Index::open(&path).unwrap_err().to_string();
        assert!(message.contains("cut the file to"), "{message}");
        assert!(IndexFile::open(&path).is_err());
    }
    std::fs::write(&path, [&whole, &[0; 300][..]].concat()).unwrap();
    assert_eq!(Index::open(&path).unwrap().len(), 2);
}
