use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use checkpoint_file::{Checkpoint, StoredTensor};
use serde::{Deserialize, Serialize};

use super::{ParameterPath, flat};
use crate::TrainingError;

/// What an infinite or too large gradient becomes, as in the official training loop.
const GRADIENT_LIMIT: f32 = 1e5;

/// Options of [`Adam`]; the default is StyleGAN2's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamOptions {
    /// Step size.
    pub learning_rate: f64,
    /// Decay of the mean of gradients, 0 in StyleGAN2.
    pub beta_1: f64,
    /// Decay of the mean of squared gradients.
    pub beta_2: f64,
    /// Added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self {
            learning_rate: 0.002,
            beta_1: 0.0,
            beta_2: 0.99,
            epsilon: 1e-8,
        }
    }
}

impl AdamOptions {
    /// The options that make up for the extra step of a regularizer every `interval` iterations (Karras et al. 2020,
    /// appendix B).
    ///
    /// With `c = k / (k + 1)`, the learning rate is scaled by c and both betas are raised to the power of c. Unchanged
    /// for interval 0, which stands for no regularizer.
    ///
    /// ```
    /// let options = vision_aided_finetune::AdamOptions::default().for_lazy_regularization(16);
    /// assert_eq!(options.learning_rate, 0.002 * 16.0 / 17.0);
    /// assert_eq!(options.beta_2, 0.99f64.powf(16.0 / 17.0));
    /// ```
    pub fn for_lazy_regularization(self, interval: u64) -> Self {
        if interval == 0 {
            return self;
        }
        let ratio = interval as f64 / (interval as f64 + 1.0);
        Self {
            learning_rate: self.learning_rate * ratio,
            beta_1: self.beta_1.powf(ratio),
            beta_2: self.beta_2.powf(ratio),
            epsilon: self.epsilon,
        }
    }
}

/// Adam (Kingma and Ba 2015, algorithm 1), with state that is saved under the parameters' paths.
///
/// NaN gradients count as 0 and all others are clamped to plus or minus 1e5, as the official loop does to infinite
/// ones.
///
/// Differs from the official loop: finite gradients beyond 1e5 are clamped too; they occur only where training has
/// failed.
#[derive(Clone, Debug)]
pub struct Adam {
    options: AdamOptions,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradient and of its square, flattened.
#[derive(Clone, Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Adam {
    /// An optimizer that has not seen a gradient.
    pub fn new(options: AdamOptions) -> Self {
        Self {
            options,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Number of steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The module after one step along `gradients`; parameters that do not require gradients stay as they are.
    ///
    /// The module must be on an autodiff device. A parameter without a gradient has gradient 0, as it does not
    /// influence the loss.
    pub fn step<M: Module>(&mut self, module: M, gradients: &Gradients) -> M {
        self.steps += 1;
        let mut update = Update {
            path: ParameterPath::default(),
            correction: Correction::new(&self.options, self.steps),
            adam: self,
            gradients,
        };
        module.map(&mut update)
    }

    /// The state as tensors `PREFIX first.PATH` and `PREFIX second.PATH`.
    pub fn tensors(&self, prefix: &str) -> BTreeMap<String, StoredTensor> {
        let stored = |moment: &Tensor<1>| {
            let values: Vec<f32> = moment.to_data().iter::<f32>().collect();
            StoredTensor::from_f32(vec![values.len()], &values)
        };
        self.moments
            .iter()
            .flat_map(|(path, moments)| {
                [
                    (format!("{prefix}first.{path}"), stored(&moments.first)),
                    (format!("{prefix}second.{path}"), stored(&moments.second)),
                ]
            })
            .collect()
    }

    /// The state that [`tensors`](Self::tensors) gave, after `steps` steps of `module`, which is on an autodiff device.
    ///
    /// # Errors
    /// When the file does not have exactly the two moments of every parameter that trains, each of the parameter's
    /// length. Before the first step there are none.
    pub fn from_tensors<M: Module>(
        options: AdamOptions,
        steps: u64,
        module: &M,
        file: &Checkpoint,
        prefix: &str,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        let mut trained = TrainedLengths::default();
        if steps > 0 {
            module.visit(&mut trained);
        }
        let load = |which: &str| -> Result<BTreeMap<String, Tensor<1>>, TrainingError> {
            let part = file.subset(&format!("{prefix}{which}."));
            let damaged = |path: &str, found: String, expected: String| {
                TrainingError::CannotResume {
                    path: file.path().to_owned(),
                    reason: format!(
                        "the optimiser's {which} moment `{prefix}{which}.{path}` after {steps} steps: found {found}, expected {expected}"
                    ),
                }
            };
            if let Some(path) = part
                .tensors()
                .keys()
                .find(|path| !trained.lengths.contains_key(*path))
            {
                return Err(damaged(
                    path,
                    "it in the file".into(),
                    "no parameter of that name to train".into(),
                ));
            }
            trained
                .lengths
                .iter()
                .map(|(path, length)| {
                    let shape = part.tensors().get(path).map(StoredTensor::shape);
                    if shape != Some(&[*length]) {
                        let found =
                            shape.map_or("none".to_owned(), |shape| format!("shape {shape:?}"));
                        return Err(damaged(path, found, format!("shape [{length}]")));
                    }
                    Ok((path.clone(), part.tensor(path, device)?))
                })
                .collect()
        };
        let (first, second) = (load("first")?, load("second")?);
        let moments = first
            .into_iter()
            .zip(second.into_values())
            .map(|((path, first), second)| (path, Moments { first, second }))
            .collect();
        Ok(Self {
            options,
            steps,
            moments,
        })
    }

    /// Other options for the steps to come; the moments stay.
    pub(crate) fn set_options(&mut self, options: AdamOptions) {
        self.options = options;
    }
}

/// Number of values of every parameter that trains, by its path.
#[derive(Default)]
struct TrainedLengths {
    path: ParameterPath,
    lengths: BTreeMap<String, usize>,
}

impl ModuleVisitor for TrainedLengths {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.lengths
                .insert(self.path.name(), value.shape().num_elements());
        }
    }
}

/// Corrections for the moments' start at 0.
#[derive(Clone, Copy, Debug)]
struct Correction {
    step_size: f64,
    root_second: f64,
}

impl Correction {
    fn new(options: &AdamOptions, steps: u64) -> Self {
        let power = |beta: f64| beta.powf(steps as f64);
        Self {
            step_size: options.learning_rate / (1.0 - power(options.beta_1)),
            root_second: (1.0 - power(options.beta_2)).sqrt(),
        }
    }
}

struct Update<'a> {
    path: ParameterPath,
    correction: Correction,
    adam: &'a mut Adam,
    gradients: &'a Gradients,
}

impl Update<'_> {
    fn updated(&mut self, value: Tensor<1>, gradient: Option<Tensor<1>>) -> Tensor<1> {
        let AdamOptions {
            beta_1,
            beta_2,
            epsilon,
            ..
        } = self.adam.options;
        let gradient = match gradient {
            Some(gradient) => {
                let not_a_number = gradient.clone().is_nan();
                gradient
                    .mask_fill(not_a_number, 0.0)
                    .clamp(-GRADIENT_LIMIT, GRADIENT_LIMIT)
            }
            None => value.zeros_like(),
        };
        let square = gradient.clone() * gradient.clone();
        let moments = match self.adam.moments.remove(&self.path.name()) {
            Some(old) => Moments {
                // With StyleGAN2's beta of 0 the mean is the gradient itself.
                first: if beta_1 == 0.0 {
                    gradient
                } else {
                    old.first.mul_scalar(beta_1) + gradient.mul_scalar(1.0 - beta_1)
                },
                second: old.second.mul_scalar(beta_2) + square.mul_scalar(1.0 - beta_2),
            },
            None => Moments {
                first: gradient.mul_scalar(1.0 - beta_1),
                second: square.mul_scalar(1.0 - beta_2),
            },
        };
        let denominator = moments
            .second
            .clone()
            .sqrt()
            .div_scalar(self.correction.root_second)
            .add_scalar(epsilon);
        let step = (moments.first.clone() / denominator).mul_scalar(self.correction.step_size);
        self.adam.moments.insert(self.path.name(), moments);
        value - step
    }
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        if !value.is_require_grad() {
            return param;
        }
        let gradient = value.grad(self.gradients).map(flat);
        let shape = value.shape();
        let updated = self.updated(flat(value), gradient).reshape(shape);
        param.map(|_| Tensor::from_inner(updated).require_grad())
    }
}
