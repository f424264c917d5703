//! Directions of a model, computed as a basis says.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor, TensorData};
use feature_stats::{Ddof, Moments};
use ganspace::{Basis, IncrementalPca, LatentDirections, LatentRegression, PrincipalComponents};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use stylegan2::{NoiseMode, RandomState};

use crate::{Error, Model, Observer, Phase, class};

/// Latents mapped at a time. Fixed, so that a basis is the same whatever else is asked for.
const W_BATCH: usize = 256;

/// Images rendered at a time.
const IMAGE_BATCH: usize = 16;

/// Activations of no more dimensions have exact components: a covariance of 32 MB in f64.
const MOST_EXACT: usize = 2048;

/// Samples in a batch of incremental components, at least; what one has beyond the components is forgotten, so few
/// batches are better.
const INCREMENTAL_BATCH: usize = 128;

/// Components of a basis, where `w` has so many dimensions.
const COMPONENTS: usize = 20;
const W_SAMPLES: u32 = 10_000;
const ACTIVATION_SAMPLES: u32 = 1_000;

/// What components are of, written as `w` or `b16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Space {
    /// Of latents `w`.
    W,
    /// The block of this resolution.
    Block(usize),
}

impl Space {
    /// The basis where nothing else is asked for.
    pub fn usual_basis(self, w_dim: usize, seed: u32) -> Basis {
        Basis {
            space: self.to_string(),
            samples: match self {
                Self::W => W_SAMPLES,
                Self::Block(_) => ACTIVATION_SAMPLES,
            },
            components: COMPONENTS.min(w_dim),
            seed,
        }
    }
}

impl TryFrom<String> for Space {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Space> for String {
    fn from(space: Space) -> Self {
        space.to_string()
    }
}

impl FromStr for Space {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "w" {
            return Ok(Self::W);
        }
        text.strip_prefix('b')
            .and_then(|resolution| resolution.parse().ok())
            .map(Self::Block)
            .ok_or_else(|| format!("{text:?} is no space; write w, or a block such as b16"))
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::W => f.write_str("w"),
            Self::Block(resolution) => write!(f, "b{resolution}"),
        }
    }
}

/// Computes directions of one model, each basis once.
pub struct Bases<'a> {
    model: &'a Model,
    class: Option<usize>,
    device: &'a Device,
    computed: Vec<(Basis, LatentDirections)>,
}

impl<'a> Bases<'a> {
    /// `class` is that of a conditional model, checked.
    pub fn new(model: &'a Model, class: Option<usize>, device: &'a Device) -> Self {
        Self {
            model,
            class,
            device,
            computed: Vec::new(),
        }
    }

    /// The directions of a basis.
    ///
    /// # Errors
    ///
    /// The model has no such block, or too few samples for so many components; [`Error::Cancelled`] when the observer
    /// ends the job.
    pub fn directions(
        &mut self,
        basis: &Basis,
        observer: &mut dyn Observer,
    ) -> Result<LatentDirections, Error> {
        if let Some((_, directions)) = self.computed.iter().find(|(known, _)| known == basis) {
            return Ok(directions.clone());
        }
        let space: Result<Space, String> = basis.space.parse();
        let directions = match space {
            Ok(Space::W) => self.of_latents(basis, observer),
            Ok(Space::Block(resolution)) => self.of_activations(basis, resolution, observer),
            Err(reason) => Err(Error::option("basis", "", reason)),
        }?;
        self.computed.push((basis.clone(), directions.clone()));
        Ok(directions)
    }

    fn of_latents(
        &self,
        basis: &Basis,
        observer: &mut dyn Observer,
    ) -> Result<LatentDirections, Error> {
        let mut moments = Moments::new(self.model.generator.mapping.w_dim());
        self.sample(basis, W_BATCH, "latents", observer, |w| {
            Ok(moments.add_rows(rows(w).view())?)
        })?;
        let statistics = moments.mean_covariance(Ddof::Sample)?;
        let components = PrincipalComponents::fit(&statistics, basis.components)?;
        Ok(LatentDirections::of_latents(components))
    }

    fn of_activations(
        &self,
        basis: &Basis,
        resolution: usize,
        observer: &mut dyn Observer,
    ) -> Result<LatentDirections, Error> {
        let generator = &self.model.generator;
        let side = generator.synthesis.img_resolution();
        if resolution > side || !resolution.is_power_of_two() || resolution < 4 {
            return Err(Error::option(
                "basis",
                &basis.space,
                format!(
                    "{} has the blocks b4 to b{side}, each of twice the resolution of the one before",
                    self.model.name
                ),
            ));
        }
        let block = resolution.ilog2() as usize - 2;
        let activations = |w: &Tensor<2>| {
            let w_plus = generator.synthesis.broadcast(w.clone());
            let mut blocks = generator
                .synthesis
                .forward_blocks(w_plus, &NoiseMode::Constant);
            rows(blocks.swap_remove(block).features.flatten(1, 3))
        };
        let dimension = resolution * resolution * generator.config().channels(resolution);
        let components = if dimension <= MOST_EXACT {
            let mut moments = Moments::new(dimension);
            self.sample(basis, IMAGE_BATCH, "activations", observer, |w| {
                Ok(moments.add_rows(activations(&w).view())?)
            })?;
            let statistics = moments.mean_covariance(Ddof::Sample)?;
            PrincipalComponents::fit(&statistics, basis.components)?
        } else {
            let mut pca = IncrementalPca::new(dimension, basis.components)?;
            let batch = INCREMENTAL_BATCH.max(2 * basis.components);
            let mut waiting: Vec<f32> = Vec::new();
            self.sample(basis, IMAGE_BATCH, "activations", observer, |w| {
                waiting.extend(activations(&w));
                if waiting.len() < batch * dimension {
                    return Ok(());
                }
                Ok(pca.partial_fit(array(std::mem::take(&mut waiting), dimension).view())?)
            })?;
            pca.partial_fit(array(waiting, dimension).view())?;
            pca.components()?
        };
        // The same latents again: their activations would not fit into memory.
        let mut regression = LatentRegression::new(components, generator.mapping.w_dim());
        self.sample(basis, IMAGE_BATCH, "regression", observer, |w| {
            Ok(regression.add(activations(&w).view(), rows(w).view())?)
        })?;
        Ok(regression.directions()?)
    }

    /// Gives the basis' latents `w [n, w_dim]`, at most `batch` at a time, not truncated.
    fn sample(
        &self,
        basis: &Basis,
        batch: usize,
        what: &str,
        observer: &mut dyn Observer,
        mut take: impl FnMut(Tensor<2>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mapping = &self.model.generator.mapping;
        let samples = basis.samples as usize;
        let mut random = RandomState::new(basis.seed);
        observer.begin(&Phase::new(what, samples));
        for first in (0..samples).step_by(batch) {
            observer.go_on()?;
            let count = batch.min(samples - first);
            let z = TensorData::new(
                random.standard_normals(count * mapping.z_dim()),
                [count, mapping.z_dim()],
            );
            let labels = class::labels(self.class, count, self.model, self.device);
            take(mapping.w(Tensor::from_data(z, self.device), labels))?;
            observer.position((first + count) as u64);
        }
        observer.end();
        Ok(())
    }
}

fn rows(tensor: Tensor<2>) -> Array2<f32> {
    let [_, columns] = tensor.dims();
    let values = tensor.into_data().convert::<f32>();
    array(values.try_to_vec().expect("converted to f32"), columns)
}

fn array(values: Vec<f32>, columns: usize) -> Array2<f32> {
    Array2::from_shape_vec((values.len() / columns, columns), values)
        .expect("whole rows were put in")
}
