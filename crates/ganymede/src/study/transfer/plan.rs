//! What a study runs: targets, their rankings and the runs that follow.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::Options;
use crate::images::files_in;
use crate::runs::start::name_of;
use crate::transfer::ranking::{Ranked, ranking};
use crate::{Error, Observer, Warning, Weights, files};

/// Images to fine-tune on, with the ranking of the zoo for them.
pub struct Target {
    pub name: String,
    pub images: PathBuf,
    /// The training images where there is none.
    pub reference: Option<PathBuf>,
    pub ranking: Vec<Ranked>,
    /// Where its part of the study is kept.
    pub folder: PathBuf,
}

/// A model that is fine-tuned on a target's images, with all seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub ranked: Ranked,
    /// Without vision-aided discriminators.
    pub plain: bool,
}

impl Source {
    pub fn title(&self) -> String {
        let plain = if self.plain { ", plain" } else { "" };
        format!("rank {}: {}{plain}", self.ranked.rank, self.ranked.model)
    }

    /// Where one of its runs is kept, in the folder of its target.
    pub fn folder(&self, target: &Path, seed: u32) -> PathBuf {
        let kind = if self.plain { "plain" } else { "rank" };
        target
            .join(format!(
                "{kind}-{:02}-{}",
                self.ranked.rank, self.ranked.model
            ))
            .join(format!("seed-{seed}"))
    }
}

/// Prepares the targets. A ranking that was made before is kept, whatever became of the zoo, so that a study goes on
/// with what it began with.
pub fn targets(
    options: &Options,
    weights: &Weights,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Vec<Target>, Error> {
    named_images(options, weights)?
        .into_iter()
        .map(|(name, images)| {
            let drawn = weights.few_shot_reference(&name);
            let reference = match &options.reference {
                Some(path) => Some(path.clone()),
                None if options.images.is_none() && drawn.is_file() => Some(drawn),
                None => None,
            };
            if reference.is_none() {
                observer.warn(&Warning::NoReference {
                    target: name.clone(),
                });
            }
            let folder = options.out.join(&name);
            files::make_folder(&folder)?;
            Ok(Target {
                ranking: kept_ranking(options, &folder, &images, weights, device, observer)?,
                name,
                images,
                reference,
                folder,
            })
        })
        .collect()
}

fn named_images(options: &Options, weights: &Weights) -> Result<Vec<(String, PathBuf)>, Error> {
    if let Some(images) = &options.images {
        return Ok(vec![(name_of(images), images.clone())]);
    }
    let known: Vec<String> = files_in(&weights.few_shot_targets())
        .iter()
        .filter(|path| path.is_dir())
        .map(|path| name_of(path))
        .collect();
    let chosen = if options.target.is_empty() {
        &known
    } else {
        &options.target
    };
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        return Err(Error::option(
            "target",
            unknown,
            format!(
                "no few-shot set of the repository; known names: {}; one's own images are another option",
                known.join(", ")
            ),
        ));
    }
    if chosen.is_empty() {
        return Err(Error::File {
            path: weights.few_shot_targets(),
            problem: "no few-shot sets there; name images".to_owned(),
        });
    }
    let named = |name: &String| (name.clone(), weights.few_shot(name));
    Ok(chosen.iter().map(named).collect())
}

fn kept_ranking(
    options: &Options,
    folder: &Path,
    images: &Path,
    weights: &Weights,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Vec<Ranked>, Error> {
    let path = folder.join("ranking.json");
    if !path.is_file() {
        let ranked = ranking(
            options.models.as_deref(),
            images,
            options.tuning.skip_bad,
            weights,
            device,
            observer,
        )?;
        files::write_json(&path, &ranked)?;
    }
    // Read also where it was just made, so that a study that goes on has the same to the last digit.
    let text = files::read_text(&path)?;
    let ranked: Vec<Ranked> = serde_json::from_str(&text).map_err(|e| Error::File {
        path: path.clone(),
        problem: format!("not a ranking ({e}); remove it to rank the zoo anew"),
    })?;
    Ranked::check_names(&ranked, &path)?;
    Ok(ranked)
}

/// The models at the ranks that were asked for, each once.
pub fn sources(options: &Options, target: &Target, observer: &mut dyn Observer) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for rank in &options.ranks {
        let Some(ranked) = target.ranking.get(rank - 1).or(target.ranking.last()) else {
            continue;
        };
        if ranked.rank != *rank {
            observer.warn(&Warning::RankBeyond {
                target: target.name.clone(),
                rank: *rank,
                models: target.ranking.len(),
                model: ranked.model.clone(),
            });
        }
        let source = Source {
            ranked: ranked.clone(),
            plain: false,
        };
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if let (true, Some(first)) = (options.plain, sources.first().cloned()) {
        sources.push(Source {
            plain: true,
            ..first
        });
    }
    sources
}
