#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;

#[test]
fn weights_are_found_above_the_start_and_else_in_the_users_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("project/src/deep")).unwrap();
    std::fs::create_dir_all(path("project/weights/features")).unwrap();
    // Of another project.
    std::fs::create_dir_all(path("project/src/weights/data")).unwrap();
    std::fs::create_dir_all(path("data/ganymede/zoo")).unwrap();
    let deep = [None, Some(path("project/src/deep"))];
    let data = Some(path("data"));
    assert_eq!(
        found_in(&deep, data.clone()).unwrap(),
        path("project/weights")
    );
    let elsewhere = [Some(path("data"))];
    assert_eq!(found_in(&elsewhere, data).unwrap(), path("data/ganymede"));
    let error = found_in(&elsewhere, Some(path("none"))).unwrap_err();
    let text = error.to_string();
    let place = path("none/ganymede").display().to_string();
    for part in [VARIABLE, "argument", &place, "docs/weights.md"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_missing_file_is_named_with_who_publishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let features = folder.path().join("features");
    std::fs::create_dir_all(&features).unwrap();
    let weights = Weights::open(Some(folder.path())).unwrap();
    std::fs::write(features.join("alexnet.safetensors"), "").unwrap();
    assert!(weights.feature_file("alexnet.safetensors").is_ok());
    for (name, publisher) in [
        ("squeezenet1_1.safetensors", "torchvision"),
        ("lpips_v0.1_vgg.safetensors", "lpips"),
        ("inception_v3_fid.safetensors", "pytorch-fid"),
    ] {
        let text = weights.feature_file(name).unwrap_err().to_string();
        for part in [name, publisher, VARIABLE, "missing"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
