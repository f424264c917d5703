//! The networks against closed forms, invariants and the official implementation's numbers.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has to say so by panicking"
)]

mod checkpoints_golden;
mod closed_form;
mod continuation;
mod discriminator_golden;
mod files;
mod found_files;
mod generator_golden;
mod growing;
mod named_gradients;
mod path_length;
mod r1;
mod tangents;
mod weight_delta;

use std::path::PathBuf;

use burn::tensor::Tensor;

/// The bound for images, logits and latents; f32 reaches about 1e-6 against the float64 reference.
const OUTPUT_TOLERANCE: f64 = 1e-5;

/// The bound for gradients, which sum over more terms of both signs.
const GRADIENT_TOLERANCE: f64 = 1e-4;

/// The bound for gradients of penalties, which are second derivatives: sums of twice as many terms of both signs. The
/// processor stays within 1e-4 of the float64 reference, software Vulkan passes it by a little; a wrong term of a
/// tangent rule is off by a tenth or more.
const PENALTY_GRADIENT_TOLERANCE: f64 = 1e-3;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn fixture(file: &str) -> PathBuf {
    testkit::reference_path(env!("CARGO_MANIFEST_DIR"), &format!("stylegan2/{file}"))
}

/// Names of all reference networks that start with `prefix`, at least one: those with a file of expected outputs.
fn case_names(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().ok()?;
            let name = file.strip_suffix(".expected.safetensors")?;
            name.starts_with(prefix).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no reference networks {prefix}*");
    names
}
