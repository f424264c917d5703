//! Small changes of a generator's weights, in files of their own.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors, shown};
use stylegan2_ops::matmul;
use whole_file::content_sha256;

use crate::{Generator, StyleGan2Error};

/// A change of one weight as a product of two thin matrices: `W + up down`.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// `[out, rank]`.
    pub up: Tensor<2>,
    /// `[rank, in * kernel * kernel]`.
    pub down: Tensor<2>,
}

/// Changes of some weights of one generator, each of low rank (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large
/// Language Models"), as pivotal tuning finds them.
///
/// In a file every changed weight, under its official name, has two tensors of 16-bit floats, `NAME.up` and
/// `NAME.down`. The metadata say of which generator they are.
#[derive(Clone, Debug)]
pub struct WeightDelta {
    /// SHA-256 of the tensors of the generator that is changed, [`Generator::content_sha256`].
    pub generator: String,
    /// By the weight's official name, such as `synthesis.b16.conv0.weight`.
    pub weights: BTreeMap<String, LowRank>,
}

const KIND_ENTRY: &str = "kind";
const KIND: &str = "weight delta";
const GENERATOR_ENTRY: &str = "generator_sha256";
const UP: &str = ".up";
const DOWN: &str = ".down";

impl Generator {
    /// SHA-256 of all tensors with their official names, in hexadecimal: equal for files that hold the same numbers in
    /// different ways.
    pub fn content_sha256(&self) -> String {
        let tensors = self.tensors();
        let in_order = tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), "F32", tensor.shape(), tensor.bytes()));
        content_sha256(&BTreeMap::new(), in_order)
    }

    /// The shapes of the weights that a [`WeightDelta`] can change, `[out, in * kernel * kernel]`, by their official
    /// names: those of all convolutions of the synthesis network and of its layers to colors.
    pub fn weight_shapes(&self) -> BTreeMap<String, [usize; 2]> {
        self.tensors()
            .into_iter()
            .filter_map(|(name, tensor)| match *tensor.shape() {
                [out, inputs, height, width] if name.ends_with(".weight") => {
                    Some((name, [out, inputs * height * width]))
                }
                _ => None,
            })
            .collect()
    }

    /// The generator with some weights changed. Where the matrices are on the autodiff device, gradients of images
    /// reach them.
    ///
    /// # Panics
    /// When a matrix has another shape than [`weight_shapes`](Self::weight_shapes) says. Names that no weight has are
    /// left out.
    pub fn with_changes(&self, weights: &BTreeMap<String, LowRank>) -> Self {
        let names = self.clone();
        self.clone().map(&mut Change {
            path: Vec::new(),
            official_name: |path: &str| names.official_name(path),
            weights,
        })
    }
}

struct Change<'a, F> {
    path: Vec<String>,
    official_name: F,
    weights: &'a BTreeMap<String, LowRank>,
}

impl<F: Fn(&str) -> String> ModuleMapper for Change<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = (self.official_name)(&self.path.join("."));
        match self.weights.get(&name) {
            None => param,
            Some(change) => param.map(|weight| {
                let product = matmul(change.up.clone(), change.down.clone());
                let shape = weight.dims();
                weight + product.reshape(shape)
            }),
        }
    }
}

impl WeightDelta {
    /// The largest rank for which the file of a delta of all these weights has at most so many bytes; 0 where none has.
    pub fn rank_within(shapes: &BTreeMap<String, [usize; 2]>, bytes: u64) -> usize {
        (1..)
            .take_while(|rank| Self::file_bytes(shapes, *rank) <= bytes)
            // A weight's own rank is the end of it.
            .take_while(|rank| shapes.values().any(|[out, _]| rank <= out))
            .last()
            .unwrap_or(0)
    }

    /// Bytes of a file, at most.
    fn file_bytes(shapes: &BTreeMap<String, [usize; 2]>, rank: usize) -> u64 {
        /// Of an entry of a safetensors header beside its name, with room for long numbers.
        const ENTRY: usize = 100;
        /// Of the metadata.
        const METADATA: usize = 512;
        const F16: usize = 2;
        let tensors = shapes.iter().map(|(name, [out, inputs])| {
            let rank = rank.min(*out);
            2 * (name.len() + ENTRY) + F16 * rank * (out + inputs)
        });
        (METADATA + tensors.sum::<usize>()) as u64
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is no such file, or a number is not finite.
    pub fn read(path: impl AsRef<Path>, device: &Device) -> Result<Self, StyleGan2Error> {
        let file = Checkpoint::open(path)?;
        let wrong = |reason: String| StyleGan2Error::Delta {
            path: file.path().to_owned(),
            reason,
        };
        let kind = file.metadata().get(KIND_ENTRY);
        let generator = file.metadata().get(GENERATOR_ENTRY);
        let (Some(KIND), Some(generator)) = (kind.map(String::as_str), generator) else {
            return Err(wrong(
                "no change of a generator's weights; expected a file that `invert --tune` wrote"
                    .to_owned(),
            ));
        };
        let mut weights = BTreeMap::new();
        for name in file.tensors().keys() {
            let Some(weight) = name.strip_suffix(UP) else {
                let partner = name
                    .strip_suffix(DOWN)
                    .map(|weight| format!("{weight}{UP}"));
                if partner.is_some_and(|up| file.tensors().contains_key(&up)) {
                    continue;
                }
                return Err(wrong(format!(
                    "{} belongs to no pair of NAME.up and NAME.down",
                    shown(name)
                )));
            };
            let up: Tensor<2> = file.tensor(name, device)?;
            let down: Tensor<2> = file.tensor(&format!("{weight}{DOWN}"), device)?;
            if up.dims()[1] != down.dims()[0] {
                return Err(wrong(format!(
                    "{}: {:?} and {:?} cannot be multiplied; expected [out, rank] and [rank, in]",
                    shown(weight),
                    up.dims(),
                    down.dims()
                )));
            }
            weights.insert(weight.to_owned(), LowRank { up, down });
        }
        Ok(Self {
            generator: generator.clone(),
            weights,
        })
    }

    /// The generator with the changes of a file that was read from `path`.
    ///
    /// # Errors
    /// When the changes are of another generator.
    pub fn apply(&self, generator: &Generator, path: &Path) -> Result<Generator, StyleGan2Error> {
        let wrong = |reason: String| StyleGan2Error::Delta {
            path: path.to_owned(),
            reason,
        };
        if generator.content_sha256() != self.generator {
            return Err(wrong(
                "the changes are of another generator's weights; use it with the model that was tuned".to_owned(),
            ));
        }
        let shapes = generator.weight_shapes();
        for (name, change) in &self.weights {
            let found = [change.up.dims()[0], change.down.dims()[1]];
            if shapes.get(name) != Some(&found) {
                return Err(wrong(format!(
                    "{} is of a weight of shape {found:?}, which this generator has not",
                    shown(name)
                )));
            }
        }
        Ok(generator.with_changes(&self.weights))
    }

    /// Writes the changes as 16-bit floats. `about` are further entries of the metadata.
    ///
    /// # Errors
    /// When the file system refuses, or a number is too large for 16 bits.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        about: &[(&str, &str)],
    ) -> Result<(), StyleGan2Error> {
        let mut tensors = BTreeMap::new();
        for (name, change) in &self.weights {
            for (suffix, matrix) in [(UP, &change.up), (DOWN, &change.down)] {
                let values: Vec<f32> = matrix.clone().into_data().iter::<f32>().collect();
                let stored = StoredTensor::from_f32(matrix.dims().to_vec(), &values);
                tensors.insert(format!("{name}{suffix}"), stored);
            }
        }
        let mut metadata: BTreeMap<String, String> = about
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        metadata.insert(KIND_ENTRY.to_owned(), KIND.to_owned());
        metadata.insert(GENERATOR_ENTRY.to_owned(), self.generator.clone());
        Ok(save_safetensors(
            path,
            &tensors,
            &metadata,
            FloatPrecision::F16,
        )?)
    }
}
