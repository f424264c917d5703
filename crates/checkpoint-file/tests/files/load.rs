//! Loading is strict, and a failed load changes nothing.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{
    Checkpoint, CheckpointError, StoredDType, StoredTensor, load_module, module_tensors,
};
use testkit::devices;

#[derive(Module, Debug)]
struct Layer {
    weight: Param<Tensor<2>>,
    scale: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Net {
    layers: Vec<Layer>,
}

fn net(device: &Device) -> Net {
    let layer = |offset: f32| Layer {
        weight: Param::from_tensor(Tensor::full([2, 3], offset, device)),
        scale: Param::from_tensor(Tensor::full([1], offset, device)),
    };
    Net {
        layers: vec![layer(1.0), layer(2.0)],
    }
}

fn name(path: &str) -> String {
    path.replace("layers.", "fc")
}

type Tensors = BTreeMap<String, StoredTensor>;

fn good() -> Tensors {
    let mut tensors = Tensors::new();
    for (index, first) in [(0, 10.0f32), (1, 20.0)] {
        let values: Vec<f32> = (0..6).map(|i| first + i as f32).collect();
        tensors.insert(
            format!("fc{index}.weight"),
            StoredTensor::from_f32(vec![2, 3], &values),
        );
        // A scalar, as official files have them.
        tensors.insert(
            format!("fc{index}.scale"),
            StoredTensor::from_f32(vec![], &[first]),
        );
    }
    tensors
}

fn load(module: &Net, tensors: Tensors) -> Result<Net, CheckpointError> {
    load_module(
        module,
        &Checkpoint::from_tensors("some.file", tensors, BTreeMap::new()),
        name,
    )
}

#[test]
fn a_complete_file_is_loaded() {
    for (_, device) in devices() {
        let before = net(&device);
        let after = load(&before, good()).unwrap();
        let found = module_tensors(&after, name);
        assert_eq!(found["fc1.weight"], good()["fc1.weight"]);
        assert_eq!(found["fc0.scale"].to_f32(), [10.0]);
        assert_eq!(
            before.layers[0].weight.id, after.layers[0].weight.id,
            "optimiser states are found by parameter"
        );
    }
}

#[test]
fn every_element_type_is_cast() {
    let device = &devices()[0].1;
    let halves: Vec<u8> = (0..6)
        .flat_map(|i| half::f16::from_f32(i as f32).to_le_bytes())
        .collect();
    let doubles: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    let mut tensors = good();
    tensors.insert(
        "fc0.weight".into(),
        StoredTensor::new(StoredDType::F16, vec![2, 3], halves),
    );
    tensors.insert(
        "fc1.weight".into(),
        StoredTensor::new(StoredDType::F64, vec![2, 3], doubles),
    );
    let found = module_tensors(&load(&net(device), tensors).unwrap(), name);
    for weight in ["fc0.weight", "fc1.weight"] {
        assert_eq!(found[weight].dtype(), StoredDType::F32);
        assert_eq!(found[weight].to_f32(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}

#[test]
fn each_mismatch_is_named_and_leaves_the_module_as_it_was() {
    let device = &devices()[0].1;
    let module = net(device);
    let original = module_tensors(&module, name);
    let with = |name: &str, tensor: Option<StoredTensor>| {
        let mut tensors = good();
        tensors.remove(name);
        tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        tensors
    };
    let mut not_finite = vec![0f32; 6];
    not_finite[4] = f32::NAN;
    let too_large: Vec<u8> = [0.0, 1e300, 0.0, 0.0, 0.0, 0.0]
        .iter()
        .flat_map(|v: &f64| v.to_le_bytes())
        .collect();
    for (tensors, parts) in [
        (
            with("fc1.weight", None),
            &["fc1.weight", "[2, 3]", "missing"][..],
        ),
        (
            with("fc2.weight", Some(StoredTensor::from_f32(vec![1], &[0.0]))),
            &["1 tensors", "fc2.weight", "not part"],
        ),
        (
            with(
                "fc1.weight",
                Some(StoredTensor::from_f32(vec![3, 2], &[0.0; 6])),
            ),
            &["fc1.weight", "[3, 2]", "expected [2, 3]"],
        ),
        (
            with(
                "fc1.weight",
                Some(StoredTensor::new(StoredDType::I32, vec![2, 3], vec![0; 24])),
            ),
            &["fc1.weight", "I32", "expected a floating-point type"],
        ),
        (
            with(
                "fc1.weight",
                Some(StoredTensor::from_f32(vec![2, 3], &not_finite)),
            ),
            &["fc1.weight", "NaN", "index 4"],
        ),
        (
            with(
                "fc1.weight",
                Some(StoredTensor::new(StoredDType::F64, vec![2, 3], too_large)),
            ),
            &["fc1.weight", "inf", "index 1"],
        ),
    ] {
        let message = load(&module, tensors).unwrap_err().to_string();
        for part in parts.iter().chain(&["some.file"]) {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
        assert_eq!(module_tensors(&module, name), original);
    }
}

#[test]
fn single_tensors_have_the_asked_rank() {
    let device = &devices()[0].1;
    let checkpoint = Checkpoint::from_tensors("some.file", good(), BTreeMap::new());
    let tensor: Tensor<2> = checkpoint.tensor("fc0.weight", device).unwrap();
    assert_eq!(tensor.dims(), [2, 3]);
    for (message, parts) in [
        (
            checkpoint.tensor::<3>("fc0.weight", device).unwrap_err(),
            "fc0.weight has shape [2, 3], expected 3 dimensions",
        ),
        (
            checkpoint.tensor::<2>("fc3.weight", device).unwrap_err(),
            "no tensor fc3.weight; the file has fc0.scale, fc0.weight, fc1.scale, fc1.weight",
        ),
    ] {
        let message = message.to_string();
        assert!(message.contains(parts), "{message}");
    }
}
