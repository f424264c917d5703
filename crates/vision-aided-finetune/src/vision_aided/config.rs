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
        }
    }
}
