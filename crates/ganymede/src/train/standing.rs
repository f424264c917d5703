//! How far a style of the zoo is: kept beside its run while the queue works through the zoo.

use std::path::{Path, PathBuf};

use model_zoo::FeatureQuality;
use serde::{Deserialize, Serialize};

use crate::{Error, files};

/// Part of the real images that a good model covers, and part of its samples that lie among them, in AlexNet's
/// features.
pub const TARGET: f64 = 0.5;

/// How often a style is published at most while the queue works: every publication stays in a repository's history.
pub const MOST_PUBLICATIONS: usize = 4;

/// How far a style is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Thousands of images that the model had seen that the run started from.
    pub start_kimg: f64,
    /// What is published, in AlexNet's features.
    pub published: Option<FeatureQuality>,
    /// Turns of the queue, oldest first.
    pub turns: Vec<Turn>,
    /// Thousands of images of this run at each publication.
    pub publications: Vec<f64>,
}

/// What one turn ended with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Thousands of images of this run.
    pub kimg: f64,
    /// Samples among real images in AlexNet's features.
    pub measured: FeatureQuality,
}

impl Standing {
    /// The standing kept in a style's folder; that of a style without a turn where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read or understood.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = file(folder);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = files::read_text(&path)?;
        serde_json::from_str(&text).map_err(|e| Error::File {
            path,
            problem: format!("not understood ({e}); delete it"),
        })
    }

    /// Keeps it.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        files::write_json(&file(folder), self)
    }

    /// Thousands of images of this run.
    pub fn kimg(&self) -> f64 {
        self.turns.last().map_or(0.0, |turn| turn.kimg)
    }

    /// The last measurement, or the published model's.
    pub fn measured(&self) -> Option<&FeatureQuality> {
        let last = self.turns.last().map(|turn| &turn.measured);
        last.or(self.published.as_ref())
    }

    /// How much is missing to a good model, from 0 to twice [`TARGET`]; all of it where nothing was measured.
    pub fn shortfall(&self) -> f64 {
        self.measured().map_or(2.0 * TARGET, |measured| {
            (TARGET - measured.coverage).max(0.0) + (TARGET - measured.precision).max(0.0)
        })
    }

    /// Whether what the run has now should replace what is published: clearly better, and seldom enough.
    ///
    /// Coverage or precision must have gained a tenth without a loss in the other, or the Fréchet distance have fallen
    /// by a fifth with neither lost.
    pub fn deserves_publication(&self) -> bool {
        let (Some(turn), true) = (
            self.turns.last(),
            self.publications.len() < MOST_PUBLICATIONS,
        ) else {
            return false;
        };
        let Some(published) = &self.published else {
            return true;
        };
        let gain = |of: fn(&FeatureQuality) -> f64| of(&turn.measured) - of(published);
        let (coverage, precision) = (
            gain(|quality| quality.coverage),
            gain(|quality| quality.precision),
        );
        // A thousand images say either to about 0.015.
        const NOISE: f64 = 0.02;
        let nothing_lost = coverage >= -NOISE && precision >= -NOISE;
        let fell = turn.measured.frechet_distance <= 0.8 * published.frechet_distance;
        nothing_lost && (coverage >= 0.1 || precision >= 0.1 || fell)
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("standing.json")
}

/// The style that the next turn belongs to: of those that miss the target, one that has had the fewest images since its
/// start, and of equals the one that misses most; when all meet it, the same among all. `limit` ends a style's
/// training, in thousands of images.
pub(super) fn next(styles: &[(String, Standing)], limit: f64) -> Option<&str> {
    let open = styles
        .iter()
        .filter(|(_, standing)| standing.kimg() < limit);
    open.min_by(|(_, a), (_, b)| {
        let key = |standing: &Standing| (standing.shortfall() <= 0.0, standing.kimg());
        let (a_done, a_kimg) = key(a);
        let (b_done, b_kimg) = key(b);
        a_done
            .cmp(&b_done)
            .then(a_kimg.total_cmp(&b_kimg))
            .then(b.shortfall().total_cmp(&a.shortfall()))
    })
    .map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(coverage: f64, precision: f64, frechet_distance: f64) -> FeatureQuality {
        FeatureQuality {
            protocol: "a test".to_owned(),
            frechet_distance,
            precision,
            recall: 0.0,
            density: 0.0,
            coverage,
        }
    }

    fn standing(kimg: f64, coverage: f64, precision: f64) -> Standing {
        Standing {
            turns: vec![Turn {
                kimg,
                measured: quality(coverage, precision, 5.0),
            }],
            ..Standing::default()
        }
    }

    #[test]
    fn the_queue_takes_the_least_trained_then_the_worst_and_good_models_last() {
        let named = |standings: &[(&str, Standing)]| -> Vec<(String, Standing)> {
            let owned = standings.iter().cloned();
            owned
                .map(|(name, standing)| (name.to_owned(), standing))
                .collect()
        };
        let all = named(&[
            ("good", standing(12.0, 0.6, 0.7)),
            ("bad", standing(24.0, 0.1, 0.1)),
            ("worse", standing(24.0, 0.1, 0.0)),
        ]);
        assert_eq!(next(&all, 100.0), Some("worse"));
        let with_new = [all.clone(), named(&[("new", Standing::default())])].concat();
        assert_eq!(next(&with_new, 100.0), Some("new"));
        assert_eq!(next(&all, 20.0), Some("good"));
        assert_eq!(next(&all, 12.0), None);
    }

    #[test]
    fn only_what_is_clearly_better_is_published_and_not_too_often() {
        let published = |quality| Standing {
            published: Some(quality),
            ..standing(24.0, 0.3, 0.3)
        };
        assert!(published(quality(0.1, 0.3, 5.0)).deserves_publication());
        assert!(published(quality(0.3, 0.3, 7.0)).deserves_publication());
        assert!(!published(quality(0.25, 0.3, 6.0)).deserves_publication());
        // More coverage at the price of precision.
        assert!(!published(quality(0.1, 0.4, 5.0)).deserves_publication());
        let often = Standing {
            publications: vec![1.0; MOST_PUBLICATIONS],
            ..published(quality(0.0, 0.0, 50.0))
        };
        assert!(!often.deserves_publication());
        assert!(!Standing::default().deserves_publication());
    }

    #[test]
    fn what_is_kept_is_read_back_and_what_is_damaged_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(
            Standing::open(folder.path()).expect("nothing"),
            Standing::default()
        );
        let kept = standing(12.0, 0.25, 0.5);
        kept.save(folder.path()).expect("a file");
        assert_eq!(Standing::open(folder.path()).expect("its own file"), kept);
        std::fs::write(file(folder.path()), "{").expect("a file");
        let message = Standing::open(folder.path())
            .expect_err("half a file")
            .to_string();
        assert!(message.contains("standing.json"), "{message}");
    }
}
