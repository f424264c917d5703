//! Whole distances against pytorch-fid, clean-fid and torch-fidelity: pictures of many sizes, protocol, network and
//! distance. See `fixtures/fid/make.py`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use backbones::InceptionV3;
use burn::tensor::Device;
use checkpoint_file::save_safetensors;
use metrics_fid::{
    FidOptions, FidProtocol, ImageFeatures, ImageSource, StoredImages, StreamOptions, fid,
    frechet_distance, kernel_distance, stored_features,
};
use ndarray::s;
use testkit::{assert_close, reference_salt};

use crate::seeded::{self, Rules};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/fid")
        .join(name)
}

fn stored(features: &ImageFeatures, folder: &str, device: &Device) -> StoredImages {
    let source = ImageSource::open(fixture(folder)).unwrap();
    let options = StreamOptions {
        batch_size: 5,
        ..StreamOptions::default()
    };
    stored_features(features, &source, &options, device, |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

#[test]
fn distances_of_pictures_equal_those_of_each_tool() {
    if !reference_salt().is_empty() {
        // The expected values belong to the weights without salt.
        return;
    }
    let device = Device::flex();
    let rules = Rules {
        prefix: "inception/",
        gain: 2f64.sqrt(),
    };
    let weights = seeded::checkpoint("inception.keys.json", &rules);
    let network = InceptionV3::load(&weights, &device).unwrap();
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = std::fs::read(fixture("expected.safetensors")).unwrap();
    let rows = safetensors::SafeTensors::deserialize(&rows).unwrap();
    for protocol in FidProtocol::ALL {
        let features = ImageFeatures::fid(protocol, network.clone());
        let real = stored(&features, "real", &device);
        let generated = stored(&features, "generated", &device);
        assert!(real.sizes.len() > 5, "pictures of many sizes");
        let [a, b] = [&real, &generated].map(|images| images.set.features().unwrap());

        let tensor = rows.tensor(&format!("{protocol}/features")).unwrap();
        let (values, _) = tensor.data().as_chunks();
        let values: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let found: Vec<f32> = a.iter().take(values.len()).copied().collect();
        // f32 in both, through a hundred layers.
        assert_close(&format!("{protocol}: features"), &found, &values, 1e-5);

        let [a_statistics, b_statistics] =
            [&real, &generated].map(|images| images.set.mean_covariance().unwrap());
        let found = frechet_distance(&a_statistics, &b_statistics).unwrap();
        let expected = &expected[protocol.name()];
        let exact = expected["exact"].as_f64().unwrap();
        // From the features' rounding.
        assert!(
            (found / exact - 1.0).abs() < 1e-4,
            "{protocol}: {found} instead of {exact}"
        );
        if protocol == FidProtocol::CleanFid {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("inception.safetensors");
            save_safetensors(&file, weights.tensors(), &BTreeMap::new(), None).unwrap();
            let options = FidOptions::new(file).with_protocol(protocol);
            let text = serde_json::to_string(&options).unwrap();
            assert_eq!(serde_json::from_str::<FidOptions>(&text).unwrap(), options);
            let sets = ["real", "generated"].map(fixture);
            let in_one_call = fid(&sets[0], &sets[1], &options, &device).unwrap();
            // The same sums in f64; how threads share them is not the same.
            assert!((in_one_call / found - 1.0).abs() < 1e-9, "{in_one_call}");
        }
        if let Some(tool) = expected["tool"].as_f64() {
            // Of singular covariances the tools' own roots are accurate to 1e-5 only.
            assert!(
                (found / tool - 1.0).abs() < 1e-3,
                "{protocol}: {found} instead of {tool}"
            );
        }
        if let Some(tool) = expected["kid"].as_f64() {
            let size = a.nrows().min(b.nrows());
            let found = kernel_distance(a.slice(s![..size, ..]), b.slice(s![..size, ..])).unwrap();
            assert!(
                (found / tool - 1.0).abs() < 1e-3,
                "{protocol}: KID {found} instead of {tool}"
            );
        }
    }
}
