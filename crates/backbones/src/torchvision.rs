//! Loading under torchvision's state-dict keys.

use std::collections::BTreeMap;

use burn::module::Module;
use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor, load_module, module_tensors};

/// The classifier that torchvision keeps in the same file and that no feature network has.
const CLASSIFIER: &str = "classifier.";

/// Loads `network` strictly from a checkpoint with or without torchvision's classifier.
pub(crate) fn load<M: Module + Clone>(
    network: &M,
    checkpoint: &Checkpoint,
    key: impl Fn(&str) -> String,
) -> Result<M, CheckpointError> {
    let features =
        checkpoint.rename(|name| (!name.starts_with(CLASSIFIER)).then(|| name.to_owned()));
    load_module(network, &features, key)
}

/// The network's tensors under torchvision's keys.
pub(crate) fn tensors<M: Module>(
    network: &M,
    key: impl Fn(&str) -> String,
) -> BTreeMap<String, StoredTensor> {
    module_tensors(network, key)
}

/// Turns the path of a layer in a list, `LIST.POSITION.REST`, into `features.INDEX.REST`, where `indices[POSITION]` is
/// the layer's index in torchvision's `features`, which counts activations and poolings too.
pub(crate) fn features_key(path: &str, indices: &[usize]) -> String {
    let mut parts = path.splitn(3, '.').skip(1);
    let index = parts
        .next()
        .and_then(|position| position.parse::<usize>().ok())
        .and_then(|position| indices.get(position));
    match (index, parts.next()) {
        (Some(index), Some(rest)) => format!("features.{index}.{rest}"),
        _ => panic!(
            "module path {path}: expected LIST.POSITION.NAME with at most {} positions",
            indices.len()
        ),
    }
}
