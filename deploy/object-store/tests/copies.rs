//! Folders to stores and back: in memory, on the disk, and in the store that the environment variable PLACE_TEST_URL
//! names.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests that cannot go on fail"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use place::{Place, Shard, get, put};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

const A_SECOND: Duration = Duration::from_millis(1100);

/// Longer than a piece of an upload, and no multiple of one.
const LONG: usize = (8 << 20) * 2 + 12345;

/// A folder of four models and what must stay where it is.
fn zoo() -> (TempDir, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let mut files = BTreeMap::new();
    for (index, model) in ["a", "b", "c d~%7E#[é]", "e"].into_iter().enumerate() {
        fs::create_dir(folder.path().join(model)).unwrap();
        let length = if index == 1 { LONG } else { index };
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + index) as u8).collect();
        files.insert(format!("{model}/generator.safetensors"), bytes);
        files.insert(format!("{model}/card.toml"), model.as_bytes().to_vec());
    }
    for (name, bytes) in &files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for left_out in [".hidden", "a/x.123-0.partial"] {
        fs::write(folder.path().join(left_out), "unfinished").unwrap();
    }
    // Stores count in seconds, and what is stored in the second of its making might have changed since.
    std::thread::sleep(A_SECOND);
    (folder, files)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for model in fs::read_dir(folder).unwrap() {
        let model = model.unwrap();
        for file in fs::read_dir(model.path()).unwrap() {
            let file = file.unwrap();
            let name = [model.file_name(), file.file_name()].map(|n| n.into_string().unwrap());
            found.insert(name.join("/"), fs::read(file.path()).unwrap());
        }
    }
    found
}

fn there_and_back(place: &Place) {
    let runtime = runtime();
    let (zoo, expected) = zoo();
    let first = put(zoo.path(), place, &runtime).unwrap();
    assert_eq!((first.copied, first.there), (8, 0), "{place}");
    let again = put(zoo.path(), place, &runtime).unwrap();
    assert_eq!((again.copied, again.there), (0, 8), "{place}");

    let copy = tempfile::tempdir().unwrap();
    let fetched = get(place, copy.path(), None, &runtime).unwrap();
    assert_eq!((fetched.copied, fetched.bytes), (8, first.bytes));
    assert!(files(copy.path()) == expected);
    let again = get(place, copy.path(), None, &runtime).unwrap();
    assert_eq!((again.copied, again.there), (0, 8));

    // The second and third of four names are one half's and the other's.
    let shards: [Shard; 2] = ["1/2", "2/2"].map(|text| text.parse().unwrap());
    let mut both = BTreeMap::new();
    for (shard, models) in shards.into_iter().zip([["a", "b"], ["c d~%7E#[é]", "e"]]) {
        let part = tempfile::tempdir().unwrap();
        get(place, part.path(), Some(shard), &runtime).unwrap();
        let found = files(part.path());
        assert!(
            found
                .keys()
                .all(|name| models.iter().any(|m| name.starts_with(&format!("{m}/"))))
        );
        both.extend(found);
    }
    assert!(both == expected);

    // What has changed since is copied again, though it is as long as before.
    std::thread::sleep(A_SECOND);
    fs::write(zoo.path().join("e/card.toml"), "f").unwrap();
    assert_eq!(put(zoo.path(), place, &runtime).unwrap().copied, 1);
    assert_eq!(get(place, copy.path(), None, &runtime).unwrap().copied, 1);
    assert_eq!(fs::read(copy.path().join("e/card.toml")).unwrap(), b"f");
}

#[test]
fn in_memory() {
    there_and_back(&Place::new(Arc::new(InMemory::new()), "hub/zoo".into()));
}

#[test]
fn on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a folder?#%20");
    there_and_back(&Place::parse(path.to_str().unwrap(), []).unwrap());
    assert!(path.join("c d~%7E#[é]/card.toml").is_file());
    let url = url::Url::from_directory_path(folder.path().join("other")).unwrap();
    there_and_back(&Place::parse(url.as_str(), []).unwrap());
}

#[test]
#[ignore = "asks the store that PLACE_TEST_URL names"]
fn in_the_store_of_the_environment() {
    let url = std::env::var("PLACE_TEST_URL").unwrap();
    there_and_back(&Place::parse(&url, std::env::vars()).unwrap());
}

/// A store in memory with an object of each name and length.
fn stored(objects: &[(&str, usize)]) -> Place {
    let store = InMemory::new();
    for (name, length) in objects {
        let name = object_store::path::Path::parse(name).unwrap();
        let put = store.put(&name, vec![7; *length].into());
        runtime().block_on(put).unwrap();
    }
    Place::new(Arc::new(store) as Arc<dyn ObjectStore>, "zoo".into())
}

#[test]
fn names_that_are_no_file_s_are_refused() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    for name in ["zoo/c:evil", "zoo/a\\b", "zoo/a\u{9b}2J"] {
        let place = stored(&[(name, 1)]);
        let error = get(&place, folder.path(), None, &runtime).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("zoo/") && text.contains("rename"), "{text}");
        assert!(text.is_ascii(), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    fs::write(folder.path().join("c:evil"), "x").unwrap();
    let error = put(folder.path(), &stored(&[]), &runtime).unwrap_err();
    assert!(error.to_string().contains("c:evil"), "{error}");
}

#[test]
fn hidden_names_and_marks_of_folders_are_left_out_and_nothing_at_all_is_an_error() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let place = stored(&[
        ("zoo/a", 0),
        ("zoo/a/card.toml", 2),
        ("zoo/.bashrc", 3),
        ("zoo/.ssh/config", 3),
        ("zoology", 5),
    ]);
    // File systems count in milliseconds or worse.
    std::thread::sleep(A_SECOND);
    let before = SystemTime::now() - A_SECOND / 2;
    assert_eq!(
        get(&place, folder.path(), None, &runtime).unwrap().copied,
        1
    );
    let card = folder.path().join("a/card.toml");
    assert_eq!(fs::read(&card).unwrap(), [7; 2]);
    // The time is the object's, which was stored before.
    assert!(card.metadata().unwrap().modified().unwrap() < before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    for nothing in [
        stored(&[("zoology", 5)]),
        Place::parse("/nowhere/at/all", []).unwrap(),
    ] {
        let error = get(&nothing, folder.path(), None, &runtime).unwrap_err();
        assert!(error.to_string().contains(&nothing.to_string()), "{error}");
    }
}

#[test]
fn an_object_that_changes_while_it_is_fetched_gets_no_name() {
    let runtime = runtime();
    let source = tempfile::tempdir().unwrap();
    let path = source.path().join("a");
    fs::write(&path, [7; 100]).unwrap();
    let place = Place::parse(source.path().to_str().unwrap(), []).unwrap();
    let grows = AtomicBool::new(true);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            while grows.load(Ordering::Relaxed) {
                file.write_all(&[7; 10]).unwrap();
            }
        });
        // The object grows between the list and the copy almost always.
        let seen = (0..20).find_map(|_| {
            let folder = tempfile::tempdir().unwrap();
            let error = get(&place, folder.path(), None, &runtime).err()?;
            Some((
                error.to_string(),
                fs::read_dir(folder.path()).unwrap().count(),
            ))
        });
        grows.store(false, Ordering::Relaxed);
        seen
    });
    let (error, files) = seen.unwrap();
    assert!(error.contains("bytes came, expected"), "{error}");
    assert_eq!(files, 0);
}

#[test]
fn what_is_no_place_is_said() {
    for (text, part) in [
        ("nothing://x", "nothing"),
        ("s3://", "s3"),
        ("memory:///x", "lost"),
        ("s3://key:secret@bucket/x", "credentials"),
        ("az://container/x?sig=secret", "credentials"),
        ("s3://key:secret@bucket:port/x", "s3://..."),
        ("file:///a#b", "behind ? or #"),
    ] {
        let error = Place::parse(text, []).unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains("expected a folder"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }
    let nowhere = Path::new("/nowhere/at/all");
    let place = Place::new(Arc::new(InMemory::new()), "x".into());
    let error = put(nowhere, &place, &runtime()).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all: cannot be read"), "{error}");
}
