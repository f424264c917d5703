//! Which zoo, as options.

use std::path::PathBuf;

use clap::Args;
use model_zoo::Zoo;

use crate::{CommonArgs, Failure};
use ganymede::{BASE, Weights};

/// A zoo and what all programs have.
#[derive(Args, Debug)]
pub struct ZooPlace {
    /// Folder of models [default: zoo/ in the weights folder]
    #[arg(long, value_name = "DIR")]
    pub zoo: Option<PathBuf>,
    /// What all programs have.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ZooPlace {
    /// The weights folder.
    pub fn weights(&self) -> Result<Weights, Failure> {
        Ok(Weights::open(self.common.weights.as_deref())?)
    }

    /// All models but the one that others were trained from.
    pub fn open(&self) -> Result<Zoo, Failure> {
        Ok(Zoo::open_without(self.root()?, &[BASE])?)
    }

    /// All models, the base model too where there is one.
    pub fn open_with_base(&self) -> Result<Zoo, Failure> {
        Ok(Zoo::open(self.root()?)?)
    }

    fn root(&self) -> Result<PathBuf, Failure> {
        match &self.zoo {
            Some(root) => Ok(root.clone()),
            None => Ok(self.weights()?.zoo()),
        }
    }
}
