//! The whole zoo in turns: the style that needs it most gets the next few thousand images, is measured, and is
//! published when clearly better.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model_zoo::{Card, FeatureQuality};
use serde::Serialize;
use stylegan2::Generator;
use vision_aided_finetune::{ImageSet, Trainer};

use super::standing::{Standing, Turn, next};
use super::{Options, credits, run};
use crate::quality::{FeatureMeter, JUDGES, compared};
use crate::runs::export::GENERATOR;
use crate::runs::run_folder::{CHECKPOINT, HISTORY, Lock};
use crate::training_images::{TRAINING_IMAGES, folder};
use crate::{Context, Error, Milestone, Observer, Warning, Weights, files};

/// Thousands of images that a style gets in all.
const KIMG: f64 = 150.0;

/// What a run of the queue starts with unless another value is given. Style mixing is off by default already.
const LEARNING_RATE: f64 = 0.005;
const SLOW_AVERAGE_KIMG: f64 = 8.0;
/// Weight of R1 and of R2, with relativistic losses.
const GAMMA: f64 = 1.0;
/// All styles are flat art, whose areas are even. With a weight of 25 faint lines, such as dark mouths on dark skin, go
/// as well.
const FLATNESS_WEIGHT: f64 = 10.0;

/// Before a model is published, its learning rates fall to a fifth over half a turn, in a copy of the run.
const ANNEALED_TURNS: f64 = 0.5;
const ANNEALED_RATE: f64 = 0.2;

/// A style's turn, which is one process's until this file is let go.
const TURN: &str = ".turn";

/// What working through the zoo has come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ZooOutcome {
    /// Thousands of images that each style gets.
    pub kimg: f64,
    /// Whether the observer ended the job; the same options go on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// Trains the styles of the zoo a turn at a time, each in a folder of `out`, until all have had their images or the
/// observer ends the job.
///
/// Several processes may share the folder: a style is in the hands of one at a time.
///
/// # Errors
///
/// An option is one of a single run; no style's images are there; those of [`run`].
pub fn zoo(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<ZooOutcome, Error> {
    options.validate()?;
    let of_one_run = [
        ("generator", options.generator.is_some()),
        ("discriminator", options.discriminator.is_some()),
        ("resume", options.resume),
    ];
    if let Some((option, _)) = of_one_run.iter().find(|(_, is_given)| *is_given) {
        return Err(Error::option(
            option,
            "",
            "it is of a single run; with the whole zoo a style goes on from its folder, or from its published networks",
        ));
    }
    let queue = Queue::open(options, context, observer)?;
    let kimg = queue.kimg;
    while !observer.cancelled() {
        if !queue.turn(observer)? {
            return Ok(ZooOutcome {
                kimg,
                cancelled: false,
            });
        }
    }
    Ok(ZooOutcome {
        kimg,
        cancelled: true,
    })
}

struct Queue<'a> {
    options: &'a Options,
    context: &'a Context,
    weights: Weights,
    root: PathBuf,
    styles: Vec<String>,
    kimg: f64,
    meter_folder: PathBuf,
}

impl<'a> Queue<'a> {
    fn open(
        options: &'a Options,
        context: &'a Context,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let weights = context.weights()?;
        let known = credits::read(&weights)?;
        let data = folder(&weights);
        let (drawn, missing): (Vec<_>, Vec<_>) = known
            .into_keys()
            .enumerate()
            .filter(|(position, _)| options.shard.has(*position))
            .map(|(_, style)| style)
            .partition(|style| data.join(format!("{style}{TRAINING_IMAGES}")).is_file());
        if !missing.is_empty() {
            observer.warn(&Warning::StylesLeftOut { styles: missing });
        }
        if drawn.is_empty() {
            return Err(Error::File {
                path: data,
                problem: "no style's images are there".to_owned(),
            });
        }
        let root = options.out.clone();
        let root = root.unwrap_or_else(|| PathBuf::from("out/train/zoo"));
        files::make_folder(&root)?;
        Ok(Self {
            options,
            context,
            weights,
            meter_folder: root.join("features"),
            root,
            styles: drawn,
            kimg: options.kimg.unwrap_or(KIMG),
        })
    }

    /// Trains the style that needs it most and is not in other hands; `false` where none is left.
    fn turn(&self, observer: &mut dyn Observer) -> Result<bool, Error> {
        let mut taken = BTreeSet::new();
        loop {
            let standings: Vec<(String, Standing)> = self
                .styles
                .iter()
                .filter(|style| !taken.contains(*style))
                .map(|style| Ok((style.clone(), self.standing(style)?)))
                .collect::<Result<_, Error>>()?;
            let Some(style) = next(&standings, self.kimg) else {
                // Others may be at work on all that are left.
                return Ok(false);
            };
            match Lock::of(&self.root.join(style), TURN)? {
                Some(_lock) => {
                    match self.train(style, observer) {
                        // What was not measured is measured in the next call.
                        Ok(()) | Err(Error::Cancelled) => {}
                        Err(error) => return Err(error),
                    }
                    return Ok(true);
                }
                None => taken.insert(style.to_owned()),
            };
        }
    }

    fn train(&self, style: &str, observer: &mut dyn Observer) -> Result<(), Error> {
        let folder = self.root.join(style);
        let mut standing = Standing::open(&folder)?;
        let resumes = folder.join(CHECKPOINT).is_file();
        if !resumes {
            // A folder without its run has nothing to go on from.
            standing = self.start(style, observer)?;
            standing.save(&folder)?;
        }
        let shown = match resumes {
            true => Trainer::images_shown_in(folder.join(CHECKPOINT))? as f64 / 1000.0,
            false => 0.0,
        };
        // A turn that was cut short is finished, not begun again.
        let turns = (shown / self.options.turn_kimg).floor() + 1.0;
        let kimg = (turns * self.options.turn_kimg).min(self.kimg).max(shown);
        let turn = match resumes {
            true => self.options.resumed_turn(),
            false => Options {
                generator: (standing.start_kimg > 0.0).then(|| style.to_owned()),
                ..self.options.first_turn()
            },
        };
        let turn = Options {
            zoo: Some(style.to_owned()),
            out: Some(folder.clone()),
            kimg: Some(kimg),
            ..turn
        };
        run(&turn, self.context, observer)?;
        observer.go_on()?;
        let measured = self.measure(style, &folder.join(GENERATOR), observer)?;
        observer.milestone(&Milestone::Turn {
            style: style.to_owned(),
            kimg,
            start_kimg: standing.start_kimg,
            measured: measured.clone(),
        });
        standing.turns.push(Turn { kimg, measured });
        standing.save(&folder)?;
        if self.options.publish && standing.deserves_publication() {
            self.publish(style, &folder, kimg, &mut standing, observer)?;
        }
        Ok(())
    }

    /// What is kept of a style, or before its first turn what its card says, so that the worst models come first.
    fn standing(&self, style: &str) -> Result<Standing, Error> {
        let kept = Standing::open(&self.root.join(style))?;
        match kept == Standing::default() {
            true => self.published(style),
            false => Ok(kept),
        }
    }

    /// The standing of a style before its first turn: it goes on from what is published, unless that grew from random
    /// weights.
    fn start(&self, style: &str, observer: &mut dyn Observer) -> Result<Standing, Error> {
        let mut standing = self.published(style)?;
        let generator = self.weights.generator(style);
        if standing.published.is_none() && generator.is_file() {
            standing.published = match self.measure(style, &generator, observer) {
                Err(Error::Cancelled) => None,
                measured => Some(measured?),
            };
        }
        Ok(standing)
    }

    /// What the card of a published model says.
    fn published(&self, style: &str) -> Result<Standing, Error> {
        let published = self.weights.generator(style);
        if !published.is_file() {
            return Ok(Standing::default());
        }
        let path = published.with_file_name("card.toml");
        let text = files::read_text(&path)?;
        let card: Card = toml::from_str(&text).map_err(|e| Error::File {
            path,
            problem: format!("not a card: {}", e.message()),
        })?;
        let training = card.further.get("training");
        let entry = |key| training.and_then(|training| training.get(key));
        let from_random = entry("start")
            .and_then(toml::Value::as_str)
            .is_some_and(|start| start.starts_with("random weights"));
        let start_kimg = match from_random {
            true => 0.0,
            false => entry("kimg").and_then(toml::Value::as_float).unwrap_or(0.0),
        };
        let known = card
            .quality
            .and_then(|mut quality| quality.features.remove(JUDGES[0].name()));
        Ok(Standing {
            start_kimg,
            published: known,
            ..Standing::default()
        })
    }

    fn measure(
        &self,
        style: &str,
        generator: &Path,
        observer: &mut dyn Observer,
    ) -> Result<FeatureQuality, Error> {
        let device = self.context.device();
        let meter = FeatureMeter::new(
            JUDGES[0],
            self.context.weights_folder(),
            compared(self.options.frechet_images),
            &self.meter_folder,
            device,
        )?;
        let generator = Generator::load(generator, device)?;
        let side = generator.config().img_resolution;
        let images =
            ImageSet::open_packed(folder(&self.weights).join(format!("{style}{TRAINING_IMAGES}")))?;
        let images = match images.side() == side {
            true => images,
            false => images.reduced(side)?,
        };
        meter.measure(&generator, &images, observer)
    }

    /// Anneals a copy of the run and puts its model into the zoo.
    fn publish(
        &self,
        style: &str,
        folder: &Path,
        kimg: f64,
        standing: &mut Standing,
        observer: &mut dyn Observer,
    ) -> Result<(), Error> {
        let copy = folder.join("annealed");
        if copy.exists() {
            std::fs::remove_dir_all(&copy).map_err(Error::io(&copy, "cannot be removed"))?;
        }
        files::make_folder(&copy)?;
        for file in [HISTORY, CHECKPOINT] {
            let from = folder.join(file);
            std::fs::copy(&from, copy.join(file)).map_err(Error::io(&from, "cannot be copied"))?;
        }
        let end = kimg + ANNEALED_TURNS * self.options.turn_kimg;
        let annealed = Options {
            zoo: Some(style.to_owned()),
            out: Some(copy.clone()),
            kimg: Some(end),
            resume: true,
            publish: true,
            anneal: Some(format!("{kimg}:{end}:{ANNEALED_RATE}").parse()?),
            ..self.options.along()
        };
        run(&annealed, self.context, observer)?;
        observer.go_on()?;
        let published = match self.measure(style, &copy.join(GENERATOR), observer) {
            Err(Error::Cancelled) => None,
            measured => Some(measured?),
        };
        standing.published = published;
        standing.publications.push(kimg);
        standing.save(folder)
    }
}

impl Options {
    /// The options of a style's first turn that decide what is trained.
    fn first_turn(&self) -> Self {
        // Losses and the weights of their penalties belong together.
        let has_losses = self.relativistic || self.gamma.is_some() || self.r2_gamma.is_some();
        let gamma = (!has_losses).then_some(GAMMA);
        Self {
            relativistic: self.relativistic || !has_losses,
            gamma: self.gamma.or(gamma),
            r2_gamma: self.r2_gamma.or(gamma),
            flatness_weight: self.flatness_weight.or(Some(FLATNESS_WEIGHT)),
            learning_rate: self.learning_rate.or(Some(LEARNING_RATE)),
            slow_average_kimg: self.slow_average_kimg.or(Some(SLOW_AVERAGE_KIMG)),
            resolution: self.resolution,
            channel_base: self.channel_base,
            channel_max: self.channel_max,
            progressive: self.progressive.clone(),
            freeze_layers: self.freeze_layers,
            batch: self.batch,
            vision_aided: self.vision_aided.clone(),
            vision_aided_input: self.vision_aided_input,
            mirror: self.mirror,
            noise: self.noise,
            seed: self.seed,
            resume: false,
            ..self.resumed_turn()
        }
    }

    /// The options of a later turn, which a run that goes on takes.
    fn resumed_turn(&self) -> Self {
        Self {
            learning_rate: self.learning_rate,
            gamma: self.gamma,
            r2_gamma: self.r2_gamma,
            relativistic: self.relativistic,
            flatness_weight: self.flatness_weight,
            path_length_weight: self.path_length_weight,
            style_mixing: self.style_mixing,
            average_kimg: self.average_kimg,
            slow_average_kimg: self.slow_average_kimg,
            shared_images: self.shared_images,
            anneal: self.anneal,
            augment: self.augment,
            vision_aided_balance: self.vision_aided_balance,
            vision_aided_augment: self.vision_aided_augment,
            resume: true,
            ..self.along()
        }
    }

    /// What a run writes and measures on its way, which decides nothing.
    fn along(&self) -> Self {
        Self {
            snapshot_kimg: self.snapshot_kimg,
            checkpoint_minutes: self.checkpoint_minutes,
            frechet_images: self.frechet_images,
            ..Self::default()
        }
    }
}

#[cfg(all(test, feature = "clap"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::super::command_line::written;

    /// Every option that decides what is trained, but for those that the queue itself gives.
    #[test]
    fn turns_have_the_options_that_the_queue_was_given() {
        let all = written(&[
            "--zoo=all",
            "--resolution=32",
            "--channel-base=512",
            "--channel-max=32",
            "--progressive=none",
            "--freeze-layers=1",
            "--batch=4",
            "--learning-rate=0.001",
            "--gamma=1",
            "--r2-gamma=2",
            "--relativistic",
            "--flatness-weight=3",
            "--path-length-weight=2",
            "--style-mixing=0.5",
            "--average-kimg=3",
            "--slow-average-kimg=4",
            "--shared-images",
            "--anneal=1:2:0.5",
            "--augment=color",
            "--vision-aided=vgg16",
            "--vision-aided-input=32",
            "--vision-aided-balance=0.5",
            "--vision-aided-augment=cutout",
            "--mirror",
            "--noise",
            "--snapshot-kimg=7",
            "--checkpoint-minutes=2",
            "--frechet-images=50",
        ])
        .unwrap();
        let given = all.decisive();
        assert_eq!(given.len(), 25);
        assert_eq!(all.first_turn().decisive(), given[1..]);
        assert_eq!(all.resumed_turn().decisive(), all.changed());
        for turn in [all.first_turn(), all.resumed_turn(), all.along()] {
            let along = (
                turn.snapshot_kimg,
                turn.checkpoint_minutes,
                turn.frechet_images,
            );
            assert_eq!(along, (7.0, 2.0, 50));
        }
        let first = |options: &[&str]| written(options).unwrap().first_turn().decisive();
        assert_eq!(
            first(&["--zoo=all"]),
            [
                "--learning-rate 0.005",
                "--gamma 1",
                "--r2-gamma 1",
                "--relativistic",
                "--flatness-weight 10",
                "--slow-average-kimg 8"
            ]
        );
        assert_eq!(
            first(&["--zoo=all", "--gamma=5"])[1..],
            ["--gamma 5", "--flatness-weight 10", "--slow-average-kimg 8"]
        );
    }
}
