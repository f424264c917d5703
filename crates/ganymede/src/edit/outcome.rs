use std::collections::BTreeMap;
use std::path::PathBuf;

use ganspace::{Association, Basis, Effect};
use serde::{Deserialize, Serialize};

use super::options::Options;
use crate::Model;
use crate::files::ShownPath;

/// What was shown and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The model's name.
    pub model: String,
    /// As in the options.
    pub layers: String,
    /// Network of the LPIPS distance.
    pub lpips_network: String,
    /// What components are of; none where only named edits of fixed strength were applied.
    pub basis: Option<Basis>,
    /// The pictures of a strip, row by row.
    pub edits: Vec<EditResult>,
    /// All components, where they were listed.
    pub components: Vec<ComponentResult>,
    /// Components that move something in particular, the clearest first, where all were listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposal>,
    /// Mixtures of components that move something in particular, the clearest first, where all components were listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixtures: Vec<Mixture>,
    /// Components by an attribute, the best first, or the one edit that was measured.
    pub ranking: Vec<RankingResult>,
    /// Share of images, left out of the fit one at a time, that the attribute's score puts on the right side.
    pub attribute_accuracy: Option<f64>,
    /// Rows of pictures: a latent each, or a component.
    pub sheet: Option<ShownPath>,
    /// What the latents are called.
    #[serde(skip)]
    pub latents: Vec<String>,
    /// Components that the sheet shows, in their order; none where it shows latents.
    #[serde(skip)]
    pub shown: Vec<usize>,
    /// Whether the attribute's score was fitted on images.
    #[serde(skip)]
    pub is_fitted: bool,
    /// Seeds with a score that components were ranked by.
    #[serde(skip)]
    pub scored: usize,
    /// The file that the edit was saved in.
    #[serde(skip)]
    pub saved: Option<PathBuf>,
}

impl Outcome {
    pub(super) fn new(model: &Model, options: &Options, lpips_network: &str) -> Self {
        Self {
            model: model.name.clone(),
            layers: options.layers.to_string(),
            lpips_network: lpips_network.to_owned(),
            basis: None,
            edits: Vec::new(),
            components: Vec::new(),
            proposals: Vec::new(),
            mixtures: Vec::new(),
            ranking: Vec::new(),
            attribute_accuracy: None,
            sheet: None,
            latents: Vec::new(),
            shown: Vec::new(),
            is_fitted: false,
            scored: 0,
            saved: None,
        }
    }
}

/// A picture of a strip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditResult {
    /// What its latent is called.
    pub latent: String,
    /// The edit that changes from picture to picture.
    pub edit: Option<String>,
    /// Its component.
    pub component: Option<usize>,
    /// Its layers.
    pub layers: Option<String>,
    /// In standard deviations.
    pub strength: Option<f64>,
    /// Other edits that it has.
    pub fixed: BTreeMap<String, f64>,
    /// From the same latent with strength 0.
    pub lpips: f64,
    /// Mean for steps of the same length in random directions.
    pub random_lpips: Option<f64>,
    /// The sheet that has it, where one was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ShownPath>,
    /// Its row in the sheet, from 0.
    pub row: usize,
    /// Its column in the sheet, from 0.
    pub column: usize,
}

/// A component as it was listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentResult {
    /// Counted from 0.
    pub component: usize,
    /// In W.
    pub stdev: f64,
    /// Its share of the variance.
    pub explained_variance_ratio: f64,
    /// Root of LPIPS for one standard deviation.
    pub movement: f64,
    /// The same for steps of the same length in a random direction.
    pub random_movement: f64,
}

/// What a component moves rather than the rest of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposal {
    /// Counted from 0.
    pub component: usize,
    /// A channel of a region, as the options `channel` and `region` have it.
    pub attribute: String,
    /// Standard deviations of the attribute for one of the component.
    pub strength: f64,
    /// Mean change over the root of its mean square, in [0, 1]; 1 where every latent changes alike.
    pub consistency: f64,
    /// What the attribute moves for what the image moves, 1 for random directions.
    pub exclusivity: f64,
}

/// A mixture of components that moves an attribute for as little else as possible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mixture {
    /// A channel of a region, as the options `channel` and `region` have it.
    pub attribute: String,
    /// Of each component, for one standard deviation of it; of length 1.
    pub weights: Vec<f64>,
    /// Standard deviations of the attribute for one step of the mixture.
    pub strength: f64,
    /// Mean change over the root of its mean square, in [0, 1]; 1 where every latent changes alike.
    pub consistency: f64,
    /// What the attribute moves for what the image moves, 1 for random directions.
    pub exclusivity: f64,
}

impl Mixture {
    /// The component with the largest weight, counted from 0.
    pub fn main_component(&self) -> usize {
        main_component(&self.weights)
    }
}

/// The component with the largest weight, counted from 0.
pub(super) fn main_component(weights: &[f64]) -> usize {
    let largest = (0..weights.len()).max_by(|a, b| weights[*a].abs().total_cmp(&weights[*b].abs()));
    largest.unwrap_or(0)
}

/// How a component and an attribute belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RankingResult {
    /// Measured by edits.
    Effect {
        /// Counted from 0.
        component: usize,
        /// Standard deviations of the attribute for one of the component.
        strength: f64,
        /// Mean change over the root of its mean square, in [0, 1]; 1 where every latent changes alike.
        consistency: f64,
        /// Root of LPIPS for one standard deviation.
        movement: f64,
        /// What the attribute moves for what the image moves, 1 for random directions.
        exclusivity: f64,
    },
    /// Seen in samples.
    Association {
        /// Counted from 0.
        component: usize,
        /// Of the component's coordinate and the score.
        correlation: f64,
        /// Its share of what all components explain.
        exclusivity: f64,
    },
}

impl From<Effect> for RankingResult {
    fn from(effect: Effect) -> Self {
        Self::Effect {
            component: effect.component,
            strength: effect.strength,
            consistency: effect.consistency,
            movement: effect.movement,
            exclusivity: effect.exclusivity,
        }
    }
}

impl From<Association> for RankingResult {
    fn from(association: Association) -> Self {
        Self::Association {
            component: association.component,
            correlation: association.correlation,
            exclusivity: association.exclusivity,
        }
    }
}
