//! What a study runs: targets, their rankings and the runs that follow.

use ganymede::files;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::options::Options;
use examples::Failure;
use examples::output;
use examples::training::start::name_of;
use examples::transfer::ranking::{Ranked, ranking};
use ganymede::Weights;
use ganymede::images::files_in;

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

    /// Where one of its runs is kept.
    pub fn folder(&self, target: &Target, seed: u32) -> PathBuf {
        let kind = if self.plain { "plain" } else { "rank" };
        target
            .folder
            .join(format!(
                "{kind}-{:02}-{}",
                self.ranked.rank, self.ranked.model
            ))
            .join(format!("seed-{seed}"))
    }
}

/// Prepares the targets. A ranking that was made before is kept, whatever became of the zoo, so that a study goes on with what it began with.
pub fn targets(
    options: &Options,
    weights: &Weights,
    device: &Device,
) -> Result<Vec<Target>, Failure> {
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
                eprintln!(
                    "{name}: distances are measured against the training images; for all images of a few-shot set run `node few_shot.js` in weights/zoo/render, for others name some with --reference"
                );
            }
            let folder = options.out.join(&name);
            files::make_folder(&folder)?;
            Ok(Target {
                ranking: kept_ranking(options, &folder, &images, weights, device)?,
                name,
                images,
                reference,
                folder,
            })
        })
        .collect()
}

fn named_images(options: &Options, weights: &Weights) -> Result<Vec<(String, PathBuf)>, Failure> {
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
        return Err(format!(
            "--target {unknown}: no few-shot set of the repository; known names: {}; for one's own images use --images",
            known.join(", ")
        )
        .into());
    }
    if chosen.is_empty() {
        return Err(format!(
            "{}: no few-shot sets there; name images with --images",
            weights.few_shot_targets().display()
        )
        .into());
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
) -> Result<Vec<Ranked>, Failure> {
    let path = folder.join("ranking.json");
    if path.is_file() {
        let text = files::read_text(&path)?;
        let ranked: Vec<Ranked> = serde_json::from_str(&text).map_err(|e| {
            format!(
                "{}: not a ranking ({e}); remove it to rank the zoo anew",
                path.display()
            )
        })?;
        Ranked::check_names(&ranked, &path)?;
        return Ok(ranked);
    }
    let ranked = ranking(
        options.models.as_deref(),
        images,
        options.transfer.bad_images,
        weights,
        device,
    )?;
    output::write_json(&path, &ranked)?;
    Ok(ranked)
}

/// The models at the ranks that were asked for, each once.
pub fn sources(options: &Options, target: &Target) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for rank in &options.ranks {
        let Some(ranked) = target.ranking.get(rank - 1).or(target.ranking.last()) else {
            continue;
        };
        if ranked.rank != *rank {
            eprintln!(
                "{}: rank {rank} is beyond the zoo's {} models; its last, {}, stands in",
                target.name,
                target.ranking.len(),
                ranked.model
            );
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
