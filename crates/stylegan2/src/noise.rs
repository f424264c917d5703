use burn::tensor::{Device, Tensor, TensorData};

use crate::RandomState;

/// Which noise images the synthesis layers add, each times its layer's strength.
#[derive(Clone, Debug, Default)]
pub enum NoiseMode {
    /// Standard normal images, another one for every image of the batch, drawn on the CPU in the order of the layers.
    ///
    /// Equal seeds give equal noise, so training passes another seed at every step.
    Random {
        /// Start of the generator.
        seed: u64,
    },
    /// The network's own images, the same for every image of the batch.
    #[default]
    Constant,
    /// No noise.
    None,
    /// These images, in the order of [`SynthesisNetwork::noise_images`](crate::SynthesisNetwork::noise_images).
    ///
    /// Each has shape `[batch, 1, resolution, resolution]`, or `[1, 1, resolution, resolution]` to serve the whole
    /// batch.
    Given(Vec<Tensor<4>>),
}

/// Hands the noise images of one forward pass to its layers in order.
#[derive(Debug)]
pub(crate) struct NoiseImages<'a> {
    mode: &'a NoiseMode,
    random: Option<RandomState>,
    next: usize,
}

impl<'a> NoiseImages<'a> {
    /// # Panics
    /// When the number of given images is not `layers`.
    pub(crate) fn new(mode: &'a NoiseMode, layers: usize) -> Self {
        if let NoiseMode::Given(images) = mode {
            assert_eq!(
                images.len(),
                layers,
                "this synthesis network expects {layers} noise images, found {}",
                images.len()
            );
        }
        let random = match mode {
            // Both halves are the key, so that all 64 bits count.
            NoiseMode::Random { seed } => {
                Some(RandomState::from_key(&[*seed as u32, (*seed >> 32) as u32]))
            }
            _ => None,
        };
        Self {
            mode,
            random,
            next: 0,
        }
    }

    /// Leaves out the next layer's image, of this side, as if it had been taken.
    pub(crate) fn skip(&mut self, batch: usize, resolution: usize) {
        match self.mode {
            NoiseMode::None | NoiseMode::Constant => {}
            NoiseMode::Random { .. } => {
                let random = self.random.as_mut().expect("made for this mode");
                random.standard_normals(batch * resolution * resolution);
            }
            NoiseMode::Given(_) => self.next += 1,
        }
    }

    /// The next layer's image `[1 or batch, 1, resolution, resolution]` before its strength, if it adds noise.
    ///
    /// # Panics
    /// When the given image has another shape.
    pub(crate) fn take(
        &mut self,
        batch: usize,
        resolution: usize,
        device: impl FnOnce() -> Device,
        constant: impl FnOnce() -> Tensor<2>,
    ) -> Option<Tensor<4>> {
        match self.mode {
            NoiseMode::None => None,
            NoiseMode::Constant => Some(constant().reshape([1, 1, resolution, resolution])),
            NoiseMode::Random { .. } => {
                let random = self.random.as_mut().expect("made for this mode");
                let shape = [batch, 1, resolution, resolution];
                let values = random.standard_normals(shape.iter().product());
                Some(Tensor::from_data(TensorData::new(values, shape), &device()))
            }
            NoiseMode::Given(images) => {
                let image = images[self.next].clone();
                let [images, channels, height, width] = image.dims();
                assert!(
                    (images == 1 || images == batch)
                        && [channels, height, width] == [1, resolution, resolution],
                    "noise image {} expects shape [1 or {batch}, 1, {resolution}, {resolution}], found {:?}",
                    self.next,
                    image.dims()
                );
                self.next += 1;
                Some(image)
            }
        }
    }
}
