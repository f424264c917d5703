//! Networks for twice the resolution, that start from those of the lower one (Karras et al. 2018, "Progressive Growing
//! of GANs").

use std::collections::BTreeMap;

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, StoredTensor};

use crate::{Architecture, Discriminator, Generator, StyleGan2Error};

impl Generator {
    /// The same generator with further blocks up to `resolution`. Its images are those of this one, upsampled, until
    /// the blocks are trained: the further `torgb` layers start at 0, all other weights are random.
    ///
    /// Differs from Karras et al. 2018: nothing is faded in, as the skip architecture adds what a block makes to the
    /// upsampled image anyway.
    ///
    /// `device` is the plain device of the result.
    ///
    /// # Errors
    /// When the resolution is not above this network's or not a power of two, the architecture is not `skip`, or a
    /// weight is not finite.
    pub fn grown(
        &self,
        resolution: usize,
        seed: u32,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        let mut config = self.config().clone();
        check_larger(config.img_resolution, resolution)?;
        if config.synthesis_kwargs.architecture != Architecture::Skip {
            return Err(StyleGan2Error::invalid(
                "architecture",
                format!("{:?}", config.synthesis_kwargs.architecture).to_lowercase(),
                "skip: other generators make their image in the last block alone",
            ));
        }
        config.img_resolution = resolution;
        let mut tensors = Self::init(&config, seed, device)?.tensors();
        let trained = self.tensors();
        for (name, tensor) in &mut tensors {
            if name.contains(".torgb.") && !name.contains(".affine.") && !trained.contains_key(name)
            {
                *tensor = zeros_like(tensor);
            }
        }
        tensors.extend(trained);
        Self::from_checkpoint(
            &in_memory("the grown generator", tensors, config.to_json()),
            device,
        )
    }
}

impl Discriminator {
    /// The same discriminator with further blocks up to `resolution` before its own; these start at random.
    ///
    /// `device` is the plain device of the result.
    ///
    /// # Errors
    /// When the resolution is not above this network's or not a power of two, or a weight is not finite.
    pub fn grown(
        &self,
        resolution: usize,
        seed: u32,
        device: &Device,
    ) -> Result<Self, StyleGan2Error> {
        let mut config = self.config().clone();
        check_larger(config.img_resolution, resolution)?;
        config.img_resolution = resolution;
        let mut tensors = Self::init(&config, seed, device)?.tensors();
        for (name, tensor) in self.tensors() {
            // The layer that read the image is not part of a block that reads features.
            if let Some(random) = tensors.get_mut(&name) {
                *random = tensor;
            }
        }
        Self::from_checkpoint(
            &in_memory("the grown discriminator", tensors, config.to_json()),
            device,
        )
    }
}

fn check_larger(from: usize, to: usize) -> Result<(), StyleGan2Error> {
    if to > from {
        return Ok(());
    }
    Err(StyleGan2Error::invalid(
        "img_resolution",
        to,
        format!("a power of two above {from}, which the network has"),
    ))
}

fn zeros_like(tensor: &StoredTensor) -> StoredTensor {
    let count = tensor.shape().iter().product();
    StoredTensor::from_f32(tensor.shape().to_vec(), &vec![0.0; count])
}

fn in_memory(what: &str, tensors: BTreeMap<String, StoredTensor>, config: String) -> Checkpoint {
    Checkpoint::from_tensors(
        what,
        tensors,
        BTreeMap::from([("config".to_owned(), config)]),
    )
}
