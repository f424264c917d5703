use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::{Checkpoint, CheckpointError, StoredTensor};

/// Loads every parameter of `module` from `checkpoint`, strictly: all tensors present, none left over, shapes equal,
/// values finite.
///
/// `file_name` turns a parameter's path in the module (`blocks.0.conv0.weight`) into its name in the file. A scalar in
/// the file fits a parameter of shape `[1]`. Parameters keep their identity, device and `require_grad`. Everything is
/// checked before anything is applied, so that an error leaves the caller's module as it was.
///
/// # Errors
/// Names the file, the tensor, what was found and what was expected.
pub fn load_module<M: Module + Clone>(
    module: &M,
    checkpoint: &Checkpoint,
    file_name: impl Fn(&str) -> String,
) -> Result<M, CheckpointError> {
    let mut shapes = ParameterShapes {
        path: Vec::new(),
        file_name: &file_name,
        found: BTreeMap::new(),
    };
    module.visit(&mut shapes);
    for (name, expected) in &shapes.found {
        refuse_opaque(checkpoint, name)?;
        let stored =
            checkpoint
                .tensors()
                .get(name)
                .ok_or_else(|| CheckpointError::MissingTensor {
                    path: checkpoint.path().to_owned(),
                    tensor: name.clone(),
                    expected: expected.clone(),
                })?;
        check(checkpoint, name, stored, expected)?;
    }
    let known: BTreeSet<&String> = shapes.found.keys().collect();
    let all = checkpoint
        .tensors()
        .keys()
        .chain(checkpoint.opaque().keys());
    let extra: BTreeSet<&String> = all.filter(|name| !known.contains(name)).collect();
    if let Some(first) = extra.first() {
        return Err(CheckpointError::ExtraTensors {
            path: checkpoint.path().to_owned(),
            count: extra.len(),
            first: (*first).clone(),
        });
    }
    let mut apply = Apply {
        path: Vec::new(),
        file_name: &file_name,
        checkpoint,
    };
    Ok(module.clone().map(&mut apply))
}

/// The parameters of `module` as f32 tensors under the names that `file_name` gives their paths.
pub fn module_tensors<M: Module>(
    module: &M,
    file_name: impl Fn(&str) -> String,
) -> BTreeMap<String, StoredTensor> {
    let mut collect = Collect {
        path: Vec::new(),
        file_name: &file_name,
        found: BTreeMap::new(),
    };
    module.visit(&mut collect);
    collect.found
}

impl Checkpoint {
    /// One tensor as f32 on `device`.
    ///
    /// # Errors
    /// When it is missing, not of floating-point type, or of another rank than `D`.
    pub fn tensor<const D: usize>(
        &self,
        name: &str,
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        refuse_opaque(self, name)?;
        let stored = self
            .tensors()
            .get(name)
            .ok_or_else(|| CheckpointError::NoTensor {
                path: self.path().to_owned(),
                tensor: name.to_owned(),
                found: self.tensors().keys().cloned().collect(),
            })?;
        if !stored.dtype().is_float() {
            return Err(CheckpointError::WrongDType {
                path: self.path().to_owned(),
                tensor: name.to_owned(),
                found: format!("{:?}", stored.dtype()),
            });
        }
        if stored.shape().len() != D {
            return Err(CheckpointError::WrongRank {
                path: self.path().to_owned(),
                tensor: name.to_owned(),
                found: stored.shape().to_vec(),
                expected: D,
            });
        }
        Ok(Tensor::from_data(
            TensorData::new(stored.to_f32(), stored.shape().to_vec()),
            device,
        ))
    }
}

fn refuse_opaque(checkpoint: &Checkpoint, name: &str) -> Result<(), CheckpointError> {
    match checkpoint.opaque().get(name) {
        Some(element_type) => Err(CheckpointError::WrongDType {
            path: checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            found: element_type.clone(),
        }),
        None => Ok(()),
    }
}

fn check(
    checkpoint: &Checkpoint,
    name: &str,
    stored: &StoredTensor,
    expected: &[usize],
) -> Result<(), CheckpointError> {
    if !stored.dtype().is_float() {
        return Err(CheckpointError::WrongDType {
            path: checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            found: format!("{:?}", stored.dtype()),
        });
    }
    let scalar_fits = stored.shape().is_empty() && expected == [1];
    if stored.shape() != expected && !scalar_fits {
        return Err(CheckpointError::WrongShape {
            path: checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            found: stored.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let values = stored.to_f32();
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(CheckpointError::NonFinite {
            path: checkpoint.path().to_owned(),
            tensor: name.to_owned(),
            index,
            value: values[index],
        }),
        None => Ok(()),
    }
}

struct ParameterShapes<'a, F> {
    path: Vec<String>,
    file_name: &'a F,
    found: BTreeMap<String, Vec<usize>>,
}

impl<F: Fn(&str) -> String> ModuleVisitor for ParameterShapes<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(
            (self.file_name)(&self.path.join(".")),
            param.lazy_shape().to_vec(),
        );
    }
}

struct Apply<'a, F> {
    path: Vec<String>,
    file_name: &'a F,
    checkpoint: &'a Checkpoint,
}

impl<F: Fn(&str) -> String> ModuleMapper for Apply<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = (self.file_name)(&self.path.join("."));
        let stored = &self.checkpoint.tensors()[&name];
        let shape = param.lazy_shape();
        param.map(|old| {
            let tensor = Tensor::from_data(TensorData::new(stored.to_f32(), shape), &old.device());
            tensor.set_require_grad(old.is_require_grad())
        })
    }
}

struct Collect<'a, F> {
    path: Vec<String>,
    file_name: &'a F,
    found: BTreeMap<String, StoredTensor>,
}

impl<F: Fn(&str) -> String> ModuleVisitor for Collect<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data().convert::<f32>();
        let shape = data.shape().to_vec();
        let values = data.try_to_vec::<f32>().expect("converted to f32 above");
        self.found.insert(
            (self.file_name)(&self.path.join(".")),
            StoredTensor::from_f32(shape, &values),
        );
    }
}
