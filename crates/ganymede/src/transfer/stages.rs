//! Stages of a run: which frozen networks it has, and for how long.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use stylegan2::Generator;
use vision_aided_finetune::ImageSet;
use vision_aided_finetune::vision_aided::{LinearProbe, ProbeScore, VisionBackbone};

use crate::Error;

/// One stage: training goes on from the best snapshot so far with further networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Real images that had been shown to the networks that the stage starts from.
    pub start_images: u64,
    /// Networks whose discriminators were added.
    pub added: Vec<String>,
    /// What the choice was made by, the most discriminating network first; empty where there was none.
    pub candidates: Vec<Candidate>,
    /// Images that the stage before had shown after its best snapshot, which were given up.
    pub discarded_images: u64,
}

/// A network that could have been added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub network: String,
    /// How well it tells generated images from real ones.
    #[serde(flatten)]
    pub score: ProbeScore,
}

/// The networks of a run and the lengths of its stages.
///
/// With one stage all networks are there from the start; with several each one adds the most discriminating of those
/// left.
pub(crate) struct Schedule {
    /// Thousands of images of each stage.
    pub kimg: Vec<f64>,
    /// Candidates in their order.
    pub networks: Vec<VisionBackbone>,
}

impl Schedule {
    /// Checks that each stage has a network to add.
    pub fn new(kimg: Vec<f64>, networks: Vec<VisionBackbone>) -> Result<Self, Error> {
        if kimg.len() > 1 && kimg.len() > networks.len() {
            return Err(Error::option(
                "kimg",
                "",
                format!(
                    "it has {} stages, each of which adds a network, but the list of networks names {}; expected at least as many networks as stages",
                    kimg.len(),
                    networks.len()
                ),
            ));
        }
        Ok(Self { kimg, networks })
    }

    /// The networks that stage `index` adds to `present`, and the scores of the candidates where there was a choice.
    pub fn next(
        &self,
        index: usize,
        present: &[String],
        generator: &Generator,
        images: &ImageSet,
        seed: u64,
        device: &Device,
    ) -> Result<(Vec<VisionBackbone>, Vec<Candidate>), Error> {
        let left: Vec<VisionBackbone> = self
            .networks
            .iter()
            .filter(|network| !present.contains(&network.kind().to_string()))
            .cloned()
            .collect();
        if self.kimg.len() == 1 || left.len() < 2 {
            return Ok((left, Vec::new()));
        }
        let probe = LinearProbe {
            // Other latents and splits in every stage.
            seed: seed.wrapping_add(index as u64),
            ..LinearProbe::default()
        };
        let ranked = probe.rank(&left, images, generator, device)?;
        let best = ranked[0].kind;
        let candidates = ranked
            .into_iter()
            .map(|ranked| Candidate {
                network: ranked.kind.to_string(),
                score: ranked.score,
            })
            .collect();
        let chosen = left.into_iter().filter(|network| network.kind() == best);
        Ok((chosen.collect(), candidates))
    }

    /// Loaded networks by their names, in that order.
    pub fn named(&self, names: &[String]) -> Result<Vec<VisionBackbone>, Error> {
        names
            .iter()
            .map(|name| {
                self.networks
                    .iter()
                    .find(|network| network.kind().to_string() == *name)
                    .cloned()
                    .ok_or_else(|| {
                        let problem = format!("the run has a discriminator on {name}; name it too");
                        Error::option("vision_aided", "", problem)
                    })
            })
            .collect()
    }
}
