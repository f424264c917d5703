//! Frozen networks by name, with the files of their weights.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use serde::{Deserialize, Serialize};
use vision_aided_finetune::Trainer;
use vision_aided_finetune::vision_aided::{VisionBackbone, VisionBackboneKind, VisionLevels};

use super::provenance::shown;
use crate::{Error, Weights};

/// A frozen network by name, and the file of its weights where it is not the one in the weights folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VisionNetwork {
    kind: VisionBackboneKind,
    file: Option<PathBuf>,
}

impl FromStr for VisionNetwork {
    type Err = String;

    /// Reads `NAME` or `NAME=FILE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let kind = name.parse().map_err(|_| {
            let known = VisionBackboneKind::ALL.map(|kind| kind.to_string());
            format!("no such network; expected one of {}", known.join(", "))
        })?;
        Ok(Self { kind, file })
    }
}

impl From<VisionBackboneKind> for VisionNetwork {
    /// The network with the weights of the weights folder.
    fn from(kind: VisionBackboneKind) -> Self {
        Self { kind, file: None }
    }
}

impl TryFrom<String> for VisionNetwork {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<VisionNetwork> for String {
    fn from(network: VisionNetwork) -> Self {
        network.to_string()
    }
}

impl fmt::Display for VisionNetwork {
    /// What [`from_str`](FromStr::from_str) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}={}", self.kind, file.display()),
            None => self.kind.fmt(f),
        }
    }
}

impl VisionNetwork {
    /// The network's name.
    pub fn name(&self) -> String {
        self.kind.to_string()
    }

    /// Which network it is.
    pub fn kind(&self) -> VisionBackboneKind {
        self.kind
    }

    /// The option as others can follow it.
    pub fn shown(&self) -> String {
        match &self.file {
            Some(file) => format!("{}={}", self.kind, shown(file, None)),
            None => self.kind.to_string(),
        }
    }

    /// Loads the network for inputs of `side` pixels. One that only has the published levels gets these.
    ///
    /// # Errors
    ///
    /// Its weights are nowhere, or are those of another network.
    pub fn load(
        &self,
        side: usize,
        levels: VisionLevels,
        weights: Option<&Weights>,
        device: &Device,
    ) -> Result<VisionBackbone, Error> {
        let path = match (&self.file, weights) {
            (Some(file), _) => file.clone(),
            (None, Some(weights)) => weights.feature_file(&self.kind.published_weights())?,
            (None, None) => {
                return Err(Error::Model {
                    model: self.kind.to_string(),
                    problem: format!(
                        "no weights folder to take it from; name one, or its file with {}=FILE",
                        self.kind
                    ),
                });
            }
        };
        let checkpoint = Checkpoint::open(path)?;
        let network = VisionBackbone::load(self.kind, &checkpoint, device)?;
        let levels = match self.kind.has_fine_levels() {
            true => levels,
            false => VisionLevels::Published,
        };
        Ok(network.with_input_side(side)?.with_levels(levels)?)
    }
}

/// The networks that a run was started with, by its checkpoint.
///
/// # Errors
///
/// It cannot be read, or the weights folder has not all of them.
pub fn of_run(
    checkpoint: &Path,
    weights: Option<&Weights>,
    device: &Device,
) -> Result<Vec<VisionBackbone>, Error> {
    Trainer::vision_networks(checkpoint)?
        .into_iter()
        .map(|saved| {
            let network = VisionNetwork::from(saved.kind);
            network.load(saved.input_side, saved.levels, weights, device)
        })
        .collect()
}
