//! Frozen networks by name, with the files of their weights.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::tensor::Device;
use checkpoint::Checkpoint;
use vision_aided_finetune::Trainer;
use vision_aided_finetune::vision_aided::{VisionBackbone, VisionBackboneKind};

use super::provenance::shown;
use crate::Failure;
use ganymede::Weights;

/// A frozen network by name, and the file of its weights where it is not the one in the weights folder.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Loads the network for inputs of `side` pixels.
    pub fn load(
        &self,
        side: usize,
        weights: Option<&Weights>,
        device: &Device,
    ) -> Result<VisionBackbone, Failure> {
        let path = match (&self.file, weights) {
            (Some(file), _) => file.clone(),
            (None, Some(weights)) => in_folder(self.kind, weights),
            (None, None) => {
                return Err(format!(
                    "{}: no weights folder to take it from; name one with --weights, or its file with {0}=FILE",
                    self.kind
                )
                .into());
            }
        };
        if !path.is_file() {
            return Err(format!(
                "{}: {} is missing; name the file of its weights with {0}=FILE",
                self.kind,
                path.display()
            )
            .into());
        }
        let checkpoint = Checkpoint::open(path)?;
        Ok(VisionBackbone::load(self.kind, &checkpoint, device)?.with_input_side(side)?)
    }
}

/// The networks that a run was started with.
pub fn of_run(
    checkpoint: &Path,
    weights: Option<&Weights>,
    device: &Device,
) -> Result<Vec<VisionBackbone>, Failure> {
    Trainer::vision_networks(checkpoint)?
        .into_iter()
        .map(|(kind, side)| VisionNetwork { kind, file: None }.load(side, weights, device))
        .collect()
}

/// Where a network lies in the weights folder; those that may not be passed on can be put there.
fn in_folder(kind: VisionBackboneKind, weights: &Weights) -> PathBuf {
    weights.features().join(format!("{kind}.safetensors"))
}
