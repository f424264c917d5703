//! Batch normalization with frozen statistics, folded into the convolution before it.

use std::collections::{BTreeMap, BTreeSet};

use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor};

/// A convolution without bias and the normalization behind it, by the prefixes of their names.
pub(crate) struct Normalized {
    /// `PREFIX.weight`; the folded bias becomes `PREFIX.bias`.
    pub convolution: String,
    /// `PREFIX.{weight,bias,running_mean,running_var}`, and perhaps `num_batches_tracked`, which inference does not
    /// read.
    pub normalization: String,
}

/// Replaces each pair by one convolution with bias: the factor `weight / sqrt(running_var + epsilon)` of each output
/// channel scales its weights, and the bias is `bias - running_mean factor`. Other tensors stay.
///
/// # Errors
/// When a tensor of a pair is missing, not of floating-point type or of a shape that does not fit, a convolution has a
/// bias of its own, or a variance is negative.
pub(crate) fn fold(
    checkpoint: &Checkpoint,
    pairs: &[Normalized],
    epsilon: f64,
) -> Result<Checkpoint, CheckpointError> {
    let mut folded = BTreeMap::new();
    let mut consumed = BTreeSet::new();
    for pair in pairs {
        let weight_name = format!("{}.weight", pair.convolution);
        let weight = float(checkpoint, &weight_name, None)?;
        let bias_name = format!("{}.bias", pair.convolution);
        if checkpoint.tensors().contains_key(&bias_name) {
            return Err(CheckpointError::ExtraTensors {
                path: checkpoint.path().to_owned(),
                count: 1,
                first: bias_name,
            });
        }
        let shape = weight.shape().to_vec();
        let channels = shape.first().copied().unwrap_or(0);
        let mut vector = |name: &str| {
            let name = format!("{}.{name}", pair.normalization);
            let values = float(checkpoint, &name, Some(channels))?.to_f32();
            consumed.insert(name);
            Ok::<_, CheckpointError>(values)
        };
        let (gain, offset) = (vector("weight")?, vector("bias")?);
        let (mean, variance) = (vector("running_mean")?, vector("running_var")?);
        consumed.insert(format!("{}.num_batches_tracked", pair.normalization));
        if let Some(index) = variance.iter().position(|v| v.is_nan() || *v < 0.0) {
            return Err(CheckpointError::InvalidTensor {
                path: checkpoint.path().to_owned(),
                tensor: format!("{}.running_var", pair.normalization),
                reason: format!(
                    "value {index} is {}, expected a variance, which is not negative",
                    variance[index]
                ),
            });
        }
        // In f64, so that folding rounds once.
        let factors: Vec<f64> = gain
            .iter()
            .zip(&variance)
            .map(|(gain, variance)| f64::from(*gain) / (f64::from(*variance) + epsilon).sqrt())
            .collect();
        let bias: Vec<f32> = factors
            .iter()
            .zip(offset.iter().zip(&mean))
            .map(|(factor, (offset, mean))| (f64::from(*offset) - f64::from(*mean) * factor) as f32)
            .collect();
        let mut values = weight.to_f32();
        let fan_in = values.len() / channels.max(1);
        for (row, factor) in values.chunks_exact_mut(fan_in.max(1)).zip(&factors) {
            for value in row {
                *value = (f64::from(*value) * factor) as f32;
            }
        }
        folded.insert(weight_name, StoredTensor::from_f32(shape, &values));
        folded.insert(bias_name, StoredTensor::from_f32(vec![channels], &bias));
    }
    for (name, tensor) in checkpoint.tensors() {
        if !consumed.contains(name) {
            folded.entry(name.clone()).or_insert_with(|| tensor.clone());
        }
    }
    Ok(Checkpoint::from_tensors(
        checkpoint.path(),
        folded,
        checkpoint.metadata().clone(),
    ))
}

/// A tensor of floating-point type, of shape `[length]` where a length is given.
fn float<'a>(
    checkpoint: &'a Checkpoint,
    name: &str,
    length: Option<usize>,
) -> Result<&'a StoredTensor, CheckpointError> {
    let path = || checkpoint.path().to_owned();
    let tensor = name.to_owned();
    let Some(stored) = checkpoint.tensors().get(name) else {
        return Err(match length {
            Some(length) => CheckpointError::MissingTensor {
                path: path(),
                tensor,
                expected: vec![length],
            },
            None => CheckpointError::NoTensor {
                path: path(),
                tensor,
                found: checkpoint.tensors().keys().cloned().collect(),
            },
        });
    };
    if !stored.dtype().is_float() {
        return Err(CheckpointError::WrongDType {
            path: path(),
            tensor,
            found: format!("{:?}", stored.dtype()),
        });
    }
    match length {
        Some(length) if stored.shape() != [length] => Err(CheckpointError::WrongShape {
            path: path(),
            tensor,
            found: stored.shape().to_vec(),
            expected: vec![length],
        }),
        _ => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPSILON: f64 = 1e-3;

    fn pairs() -> Vec<Normalized> {
        vec![Normalized {
            convolution: "conv".into(),
            normalization: "bn".into(),
        }]
    }

    /// Two output channels with the given variances.
    fn file(variances: [f32; 2]) -> BTreeMap<String, StoredTensor> {
        let vector = |values: [f32; 2]| StoredTensor::from_f32(vec![2], &values);
        [
            (
                "conv.weight",
                StoredTensor::from_f32(vec![2, 1, 1, 1], &[3.0, -1.0]),
            ),
            ("bn.weight", vector([2.0, 4.0])),
            ("bn.bias", vector([0.5, 0.0])),
            ("bn.running_mean", vector([1.0, -2.0])),
            ("bn.running_var", vector(variances)),
            (
                "bn.num_batches_tracked",
                StoredTensor::from_f32(vec![], &[7.0]),
            ),
            ("fc.bias", vector([8.0, 9.0])),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into()
    }

    fn folded(variances: [f32; 2]) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::from_tensors("file", file(variances), BTreeMap::new());
        fold(&checkpoint, &pairs(), EPSILON)
    }

    #[test]
    fn the_factor_scales_weights_and_shifts_the_bias() {
        // Variances for which the factors are 2 / sqrt(4) = 1 and 4 / sqrt(0.25) = 8.
        let folded = folded([4.0 - 1e-3, 0.25 - 1e-3]).expect("a good file");
        let near = |name: &str, expected: [f32; 2]| {
            for (found, expected) in folded.tensors()[name].to_f32().iter().zip(expected) {
                // Variances and results are rounded to f32.
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{name}: {found}, {expected}"
                );
            }
        };
        near("conv.weight", [3.0, -8.0]);
        near("conv.bias", [-0.5, 16.0]);
        assert_eq!(folded.tensors()["fc.bias"].to_f32(), [8.0, 9.0]);
        let names: Vec<&String> = folded.tensors().keys().collect();
        assert_eq!(names, ["conv.bias", "conv.weight", "fc.bias"]);
    }

    #[test]
    fn negative_and_missing_variances_are_refused() {
        for bad in [-1.0, f32::NAN] {
            let error = folded([1.0, bad]).expect_err("no variance");
            assert!(error.to_string().contains("bn.running_var"), "{error}");
        }
        let mut tensors = file([1.0, 1.0]);
        tensors.remove("bn.running_var");
        let checkpoint = Checkpoint::from_tensors("file", tensors, BTreeMap::new());
        let error = fold(&checkpoint, &pairs(), EPSILON).expect_err("a tensor is missing");
        assert!(
            matches!(error, CheckpointError::MissingTensor { .. }),
            "{error}"
        );
    }
}
