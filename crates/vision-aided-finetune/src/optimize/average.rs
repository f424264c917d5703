use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{ParameterPath, flat};

/// Images in a kimg.
const KILO: f64 = 1000.0;

/// The running average of the generator's weights, with which images are made: its half-life grows with training until
/// it is `kimg`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExponentialMovingAverage {
    /// Half-life in thousands of images.
    pub kimg: f64,
    /// Largest half-life as a share of the images so far, 0.05 in the official code; `None` starts with the full
    /// half-life, as the official code does where training starts from weights.
    pub rampup: Option<f64>,
}

impl ExponentialMovingAverage {
    /// The factor on the old average after a batch: `0.5^(batch / half-life)`. `images` were shown before the batch.
    ///
    /// ```
    /// let average = vision_aided_finetune::ExponentialMovingAverage { kimg: 10.0, rampup: Some(0.05) };
    /// // At 20,000 images the half-life is 1,000 images, later 10,000.
    /// assert_eq!(average.beta(20_000, 1_000), 0.5);
    /// assert_eq!(average.beta(1_000_000, 10_000), 0.5);
    /// ```
    pub fn beta(self, images: u64, batch: usize) -> f64 {
        let half_life = self.kimg * KILO;
        let half_life = match self.rampup {
            Some(rampup) => half_life.min(images as f64 * rampup),
            None => half_life,
        };
        0.5f64.powf(batch as f64 / half_life.max(f64::MIN_POSITIVE))
    }

    /// The average after a batch: `new + beta (average - new)` for parameters that train, the new value for all others
    /// (buffers).
    ///
    /// `images` were shown before the batch: the official loop counts a batch after it has updated the average.
    /// `average` is on a plain device; `module` has the same structure.
    pub fn update<M: Module>(self, average: M, module: &M, images: u64, batch: usize) -> M {
        let mut values = Values {
            path: ParameterPath::default(),
            found: BTreeMap::new(),
        };
        module.visit(&mut values);
        average.map(&mut Blend {
            path: ParameterPath::default(),
            values: values.found,
            beta: self.beta(images, batch),
        })
    }
}

struct Values {
    path: ParameterPath,
    /// Values, and whether they train.
    found: BTreeMap<String, (Tensor<1>, bool)>,
}

impl ModuleVisitor for Values {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let trains = value.is_require_grad();
        self.found.insert(self.path.name(), (flat(value), trains));
    }
}

struct Blend {
    path: ParameterPath,
    values: BTreeMap<String, (Tensor<1>, bool)>,
    beta: f64,
}

impl ModuleMapper for Blend {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.name();
        let (new, trains) = self
            .values
            .remove(&path)
            .unwrap_or_else(|| panic!("the averaged module has no parameter {path}"));
        let beta = self.beta;
        param.map(|average| {
            let shape = average.shape();
            if trains {
                let average = flat(average);
                (new.clone() + (average - new).mul_scalar(beta)).reshape(shape)
            } else {
                new.reshape(shape)
            }
        })
    }
}
