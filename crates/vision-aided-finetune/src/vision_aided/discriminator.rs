use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{HeadForm, VisionAidedConfig, VisionAidedHead, VisionBackbone};
use crate::{Adam, AdamOptions};

/// A head in training on a frozen network.
#[derive(Clone, Debug)]
pub struct VisionAidedDiscriminator {
    backbone: VisionBackbone,
    /// On the autodiff device.
    pub(crate) head: VisionAidedHead,
    pub(crate) adam: Adam,
}

impl VisionAidedDiscriminator {
    /// A head of random weights on the backbone, with the published layers for it.
    pub fn new(
        backbone: VisionBackbone,
        form: HeadForm,
        options: AdamOptions,
        seed: u64,
        device: &Device,
    ) -> Self {
        let config = backbone.head().with_form(form);
        let head = VisionAidedHead::init(&config, seed, device);
        Self::from_parts(backbone, head, Adam::new(options))
    }

    pub(crate) fn from_parts(backbone: VisionBackbone, head: VisionAidedHead, adam: Adam) -> Self {
        Self {
            backbone,
            head: head.train(),
            adam,
        }
    }

    /// The frozen network.
    pub fn backbone(&self) -> &VisionBackbone {
        &self.backbone
    }

    /// The trained head, on the autodiff device.
    pub fn head(&self) -> &VisionAidedHead {
        &self.head
    }

    /// What the generator pays for `images` `[batch, 3, side, side]`, mean over the batch, `[1]`; no gradient of any
    /// weight here is computed.
    pub fn generator_loss(&self, images: Tensor<4>, config: &VisionAidedConfig) -> Tensor<1> {
        let logits = self.head.valid().forward(self.backbone.forward(images));
        let loss = config.loss.generator(&logits).mean();
        self.of_levels(loss, logits.len(), config)
    }

    /// A loss that is a sum over the levels, as their mean where that is asked for.
    fn of_levels(&self, sum: Tensor<1>, levels: usize, config: &VisionAidedConfig) -> Tensor<1> {
        match config.average_levels && self.backbone.has_own_levels() {
            true => sum.div_scalar(levels as f64),
            false => sum,
        }
    }

    /// One step of the head on images of the plain device; its loss, `[1]`.
    pub(crate) fn step(
        &mut self,
        real: Tensor<4>,
        fake: Tensor<4>,
        config: &VisionAidedConfig,
    ) -> Tensor<1> {
        self.head = self.head.clone().iterate_spectral_norms();
        let logits = |images: Tensor<4>| {
            let features = self.backbone.forward(images);
            let detached = features.into_iter().map(|feature| feature.detached());
            self.head.forward(detached.collect())
        };
        let (real, fake) = (logits(real), logits(fake));
        let total = config.loss.real(&real).mean() + config.loss.fake(&fake).mean();
        let total = self.of_levels(total, real.len(), config);
        let gradients = total.backward();
        self.head = self.adam.step(self.head.clone(), &gradients);
        total.inner()
    }
}
