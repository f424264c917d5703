//! Checkpoints whose values follow from their names, by the rules of the reference files.

use std::collections::BTreeMap;

use checkpoint_file::{Checkpoint, StoredTensor};

/// One network's part of the rules.
pub struct Rules {
    /// Put before every name.
    pub prefix: &'static str,
    /// Gain of weights of two and more dimensions.
    pub gain: f64,
}

/// The checkpoint of the keys and shapes in `features/FILE`.
pub fn checkpoint(file: &str, rules: &Rules) -> Checkpoint {
    let path = testkit::reference_path(env!("CARGO_MANIFEST_DIR"), &format!("features/{file}"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_str(&text).unwrap();
    let tensors = shapes
        .into_iter()
        .filter(|(key, _)| !key.ends_with("num_batches_tracked") && key != "logit_scale")
        .map(|(key, shape)| {
            let values = values(&key, &shape, rules);
            (key, StoredTensor::from_f32(shape, &values))
        })
        .collect();
    Checkpoint::from_tensors(path, tensors, BTreeMap::new())
}

fn values(key: &str, shape: &[usize], rules: &Rules) -> Vec<f32> {
    let count = shape.iter().product();
    let seeded = |std| testkit::seeded(&format!("{}{key}", rules.prefix), count, std);
    let around_one = |values: Vec<f32>| values.into_iter().map(|value| 1.0 + value).collect();
    if key.ends_with("running_var") {
        // seeded(., 1) / sqrt(3) is uniform in [-1, 1].
        return around_one(seeded(0.25 / 3f64.sqrt()));
    }
    if key.contains("embedding") || key == "cls_token" || key == "pos_embed" {
        return seeded(0.5);
    }
    if key.ends_with("running_mean") || (shape.len() == 1 && key.ends_with("bias")) {
        return seeded(0.1);
    }
    if shape.len() == 1 {
        return around_one(seeded(0.1));
    }
    let is_projection = key == "visual.proj" || key == "text_projection";
    let fan_in: usize = if is_projection {
        shape[0]
    } else {
        shape[1..].iter().product()
    };
    seeded(rules.gain / (fan_in as f64).sqrt())
}
