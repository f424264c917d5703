use serde::{Deserialize, Serialize};

use super::{HeadForm, VisionAidedLoss};
use crate::{AdamOptions, DiffAugment};

/// Options of training with vision-aided discriminators; the defaults are the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionAidedConfig {
    /// The heads' loss.
    pub loss: VisionAidedLoss,
    /// The heads' optimizer.
    pub adam: AdamOptions,
    /// What the vision networks see instead of the images as they are.
    pub augment: DiffAugment,
    /// Factor on the generator's loss of every head; 1 as published.
    pub weight: f64,
    /// How the layers of the heads are kept in bounds.
    #[serde(default)]
    pub head_form: HeadForm,
    /// Whether a loss is the mean over a network's levels, where the authors published no head for these levels; the
    /// sum by default.
    ///
    /// Their heads were tuned as sums. Of levels that were added here, a sum is larger the more there are, and weighs
    /// more beside the image discriminator.
    #[serde(default)]
    pub average_levels: bool,
    /// Bound on what reaches the generator's images from all frozen networks together, as a multiple of what the image
    /// discriminator sends: the L2 norms of both gradients, each as its running mean over some fifty iterations. None
    /// by default, as published.
    #[serde(default)]
    pub balance: Option<f64>,
}

impl Default for VisionAidedConfig {
    fn default() -> Self {
        Self {
            loss: VisionAidedLoss::default(),
            adam: AdamOptions::default(),
            augment: DiffAugment {
                color: true,
                translation: true,
                cutout: true,
            },
            weight: 1.0,
            head_form: HeadForm::default(),
            average_levels: false,
            balance: None,
        }
    }
}
