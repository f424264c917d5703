//! What the runs of a study are, whoever does them.

use super::Options;
use super::plan::{Source, Target};
use crate::transfer::ranking::Ranked;

/// A study without where anything lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// What the distances are called.
    pub distance: String,
    /// What those of a network that no discriminator sees are called.
    pub second_distance: String,
    /// Length of each run, in thousands of images.
    pub kimg: f64,
    /// Of each source's runs, the first of which is shown.
    pub seeds: Vec<u32>,
    /// In the order of the options.
    pub targets: Vec<Subject>,
}

/// A target and the sources that are fine-tuned on its images.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub name: String,
    /// Whether distances are measured against more than the training images.
    pub has_reference: bool,
    /// The zoo, best first.
    pub ranking: Vec<Ranked>,
    /// In the order of their ranks in the options, the plain one last.
    pub sources: Vec<Source>,
}

impl Design {
    pub fn new(
        options: &Options,
        targets: &[Target],
        sources: &[Vec<Source>],
        [distance, second_distance]: [String; 2],
    ) -> Self {
        let subjects = targets
            .iter()
            .zip(sources)
            .map(|(target, sources)| Subject {
                name: target.name.clone(),
                has_reference: target.reference.is_some(),
                ranking: target.ranking.clone(),
                sources: sources.clone(),
            });
        Self {
            distance,
            second_distance,
            kimg: options.kimg,
            seeds: options.run_seeds().collect(),
            targets: subjects.collect(),
        }
    }
}
