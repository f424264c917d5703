#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use lpips::{LpipsNetwork, Version};

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
    let file = features.join("alexnet-owt-7be5be79.pth");
    std::fs::write(&file, "").unwrap();
    let [network, heads] = LpipsNetwork::AlexNet.published_weights(Version::V0_1);
    let found = weights.feature_file(&network).unwrap();
    assert_eq!(found, file.canonicalize().unwrap());
    for (published, publisher) in [
        (PublishedWeights::SQUEEZENET, "torchvision"),
        (heads, "lpips"),
        (PublishedWeights::INCEPTION_V3_FID, "pytorch-fid"),
    ] {
        let text = weights.feature_file(&published).unwrap_err().to_string();
        for part in [published.names[1], publisher, VARIABLE, "missing"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
