use burn::tensor::{Device, Tensor, TensorData};

use crate::{Generator, StyleGan2Error};

impl Generator {
    /// Number of classes; 0 for an unconditional generator.
    pub fn num_classes(&self) -> usize {
        self.mapping.c_dim()
    }

    /// One-hot labels `[seeds, c_dim]` for the latents of `seeds`; `None` for an unconditional generator, which takes
    /// none.
    ///
    /// All have the given class. Without one, a conditional generator's classes are drawn uniformly, each from its
    /// seed, so that a seed has the same class whatever stands beside it.
    ///
    /// ```
    /// # use burn::tensor::Device;
    /// # use stylegan2::{Generator, GeneratorConfig, NoiseMode, Truncation, latents_from_seeds};
    /// # let config = GeneratorConfig::from_json(
    /// #     r#"{"z_dim": 8, "c_dim": 5, "w_dim": 8, "img_resolution": 8, "img_channels": 3,
    /// #         "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 64}}"#,
    /// # )?;
    /// # let device = Device::flex();
    /// # let generator = Generator::init(&config, 0, &device)?;
    /// let seeds = [0, 1, 2];
    /// let z = latents_from_seeds(&seeds, generator.mapping.z_dim(), &device);
    /// let c = generator.labels(None, &seeds, &device)?;
    /// let images = generator.forward(z, c, Truncation::NONE, &NoiseMode::Constant);
    /// # assert_eq!(images.dims()[0], 3);
    /// # Ok::<(), stylegan2::StyleGan2Error>(())
    /// ```
    ///
    /// # Errors
    /// When the class does not exist.
    ///
    /// # Panics
    /// When there are no seeds.
    pub fn labels(
        &self,
        class: Option<usize>,
        seeds: &[u32],
        device: &Device,
    ) -> Result<Option<Tensor<2>>, StyleGan2Error> {
        assert!(!seeds.is_empty(), "expected at least one seed, found none");
        let classes = self.num_classes();
        if let Some(class) = class
            && class >= classes
        {
            return Err(StyleGan2Error::NoSuchClass { class, classes });
        }
        let chosen = |seed: u32| class.unwrap_or_else(|| class_of_seed(seed, classes));
        Ok(one_hot(
            seeds.iter().map(|seed| chosen(*seed)),
            classes,
            device,
        ))
    }

    /// [`labels`](Self::labels) without a class: `None` for an unconditional generator, classes drawn uniformly for a
    /// conditional one.
    ///
    /// # Panics
    /// When there are no seeds.
    pub fn drawn_labels(&self, seeds: &[u32], device: &Device) -> Option<Tensor<2>> {
        assert!(!seeds.is_empty(), "expected at least one seed, found none");
        let classes = self.num_classes();
        let drawn = seeds.iter().map(|seed| class_of_seed(*seed, classes));
        one_hot(drawn, classes, device)
    }
}

/// `[chosen, classes]`; `None` where there are no classes.
fn one_hot(
    chosen: impl ExactSizeIterator<Item = usize>,
    classes: usize,
    device: &Device,
) -> Option<Tensor<2>> {
    if classes == 0 {
        return None;
    }
    let rows = chosen.len();
    let mut values = vec![0.0f32; rows * classes];
    for (row, class) in values.chunks_exact_mut(classes).zip(chosen) {
        row[class] = 1.0;
    }
    Some(Tensor::from_data(
        TensorData::new(values, [rows, classes]),
        device,
    ))
}

/// A class for a seed: splitmix64 (Steele et al. 2014) scaled to the number of classes, which has nothing to do with
/// how latents are drawn.
fn class_of_seed(seed: u32, classes: usize) -> usize {
    let mut z = u64::from(seed).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((u128::from(z) * classes as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_seeds_are_uniform() {
        const CLASSES: usize = 7;
        const SEEDS: u32 = 70_000;
        let mut counts = [0i64; CLASSES];
        for seed in 0..SEEDS {
            counts[class_of_seed(seed, CLASSES)] += 1;
        }
        let expected = i64::from(SEEDS) / CLASSES as i64;
        // Of a binomial number with mean 10000, five standard deviations are below 500.
        for count in counts {
            assert!((count - expected).abs() < 500, "{counts:?}");
        }
        assert_eq!(class_of_seed(123, 1), 0);
    }
}
