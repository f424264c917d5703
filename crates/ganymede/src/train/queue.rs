//! The whole zoo in turns: the style that needs it most gets the next few thousand images, is measured, and is published when clearly better.

use ganymede::files;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use examples::gates::{FeatureMeter, JUDGES, compared};
use examples::training::export::GENERATOR;
use examples::training::run_folder::{CHECKPOINT, HISTORY, Lock};
use examples::training::standing::{Standing, Turn, next};
use examples::{Failure, INTERRUPTED, credits};
use ganymede::Weights;
use ganymede::training_images::{TRAINING_IMAGES, folder};
use model_zoo::{Card, FeatureQuality};
use stylegan2::Generator;
use vision_aided_finetune::{ImageSet, Trainer};

use crate::options::Options;
use crate::run;

/// Thousands of images that a style gets in all.
const KIMG: f64 = 150.0;

/// What a run of the queue starts with unless another value is written. Style mixing is off by default already.
const RECIPE: [(&str, &str); 2] = [("learning_rate", "0.005"), ("slow_average_kimg", "8")];

/// Before a model is published, its learning rates fall to a fifth over half a turn, in a copy of the run.
const ANNEALED_TURNS: f64 = 0.5;
const ANNEALED_RATE: f64 = 0.2;

/// A style's turn, which is one process's until this file is let go.
const TURN: &str = ".turn";

/// Trains styles until all have had their images or `interrupted` says that it is to end.
pub fn work(options: &Options, interrupted: &dyn Fn() -> bool) -> Result<ExitCode, Failure> {
    let of_one_run = ["generator", "discriminator", "resume"];
    if let Some(option) = of_one_run.iter().find(|option| options.is_given(option)) {
        return Err(format!(
            "--{option} is of a single run; with --zoo all a style goes on from its folder, or from its published networks"
        )
        .into());
    }
    let queue = Queue::open(options)?;
    while !interrupted() {
        if !queue.turn(interrupted)? {
            println!("every style has had its {} kimg", queue.kimg);
            return Ok(ExitCode::SUCCESS);
        }
    }
    println!("stopped; the same command goes on");
    Ok(ExitCode::from(INTERRUPTED))
}

struct Queue<'a> {
    options: &'a Options,
    weights: Weights,
    root: PathBuf,
    styles: Vec<String>,
    kimg: f64,
    device: Device,
    meter_folder: PathBuf,
}

impl<'a> Queue<'a> {
    fn open(options: &'a Options) -> Result<Self, Failure> {
        let weights = Weights::open(options.common.weights.as_deref())?;
        let known = credits::read(&weights)?;
        let data = folder(&weights);
        let (drawn, missing): (Vec<_>, Vec<_>) = known
            .into_keys()
            .enumerate()
            .filter(|(position, _)| options.shard.has(*position))
            .map(|(_, style)| style)
            .partition(|style| data.join(format!("{style}{TRAINING_IMAGES}")).is_file());
        if !missing.is_empty() {
            eprintln!(
                "left out, as their images are not drawn (npm ci && node render.js in weights/zoo/render): {}",
                missing.join(", ")
            );
        }
        if drawn.is_empty() {
            return Err(format!("{}: no style's images are there", data.display()).into());
        }
        let root = options.out.clone();
        let root = root.unwrap_or_else(|| PathBuf::from("out/train/zoo"));
        files::make_folder(&root)?;
        Ok(Self {
            options,
            weights,
            meter_folder: root.join("features"),
            root,
            styles: drawn,
            kimg: options.kimg.unwrap_or(KIMG),
            device: options.common.device.open()?,
        })
    }

    /// Trains the style that needs it most and is not in other hands; `false` where none is left.
    fn turn(&self, interrupted: &dyn Fn() -> bool) -> Result<bool, Failure> {
        let mut taken = BTreeSet::new();
        loop {
            let standings: Vec<(String, Standing)> = self
                .styles
                .iter()
                .filter(|style| !taken.contains(*style))
                .map(|style| Ok((style.clone(), Standing::open(&self.root.join(style))?)))
                .collect::<Result<_, Failure>>()?;
            let Some(style) = next(&standings, self.kimg) else {
                // Others may be at work on all that are left.
                return Ok(false);
            };
            match Lock::of(&self.root.join(style), TURN)? {
                Some(_lock) => {
                    self.train(style, interrupted)?;
                    return Ok(true);
                }
                None => taken.insert(style.to_owned()),
            };
        }
    }

    fn train(&self, style: &str, interrupted: &dyn Fn() -> bool) -> Result<(), Failure> {
        let folder = self.root.join(style);
        let mut standing = Standing::open(&folder)?;
        let resumes = folder.join(CHECKPOINT).is_file();
        if !resumes {
            // A folder without its run has nothing to go on from.
            standing = self.start(style, interrupted)?;
            standing.save(&folder)?;
        }
        let mut args = self.place(style, &folder);
        let shown = match resumes {
            true => Trainer::images_shown_in(folder.join(CHECKPOINT))? as f64 / 1000.0,
            false => 0.0,
        };
        // A turn that was cut short is finished, not begun again.
        let turns = (shown / self.options.turn_kimg).floor() + 1.0;
        let kimg = (turns * self.options.turn_kimg).min(self.kimg).max(shown);
        args.extend(["--kimg".to_owned(), kimg.to_string()]);
        if resumes {
            args.push("--resume".to_owned());
            args.extend(self.options.changed());
        } else {
            if standing.start_kimg > 0.0 {
                args.extend(["--generator".to_owned(), style.to_owned()]);
            }
            for (option, value) in RECIPE {
                if !self.options.is_given(option) {
                    args.extend([format!("--{}", option.replace('_', "-")), value.to_owned()]);
                }
            }
            args.extend(
                self.options
                    .decisive()
                    .into_iter()
                    .filter(|option| !option.starts_with("--zoo ")),
            );
        }
        run::train(&parsed(args)?, interrupted)?;
        if interrupted() {
            return Ok(());
        }
        let Some(measured) = self.measure(style, &folder.join(GENERATOR), interrupted)? else {
            return Ok(());
        };
        println!(
            "{style}: {kimg:.0} kimg more than {:.0}, Fréchet {:.2}, precision {:.2}, recall {:.2}, density {:.2}, coverage {:.2}",
            standing.start_kimg,
            measured.frechet_distance,
            measured.precision,
            measured.recall,
            measured.density,
            measured.coverage
        );
        standing.turns.push(Turn { kimg, measured });
        standing.save(&folder)?;
        if self.options.publish && standing.deserves_publication() {
            self.publish(style, &folder, kimg, &mut standing, interrupted)?;
        }
        Ok(())
    }

    /// The standing of a style before its first turn: it goes on from what is published, unless that grew from random weights.
    fn start(&self, style: &str, interrupted: &dyn Fn() -> bool) -> Result<Standing, Failure> {
        let published = self.weights.generator(style);
        if !published.is_file() {
            return Ok(Standing::default());
        }
        let path = published.with_file_name("card.toml");
        let text = files::read_text(&path)?;
        let card: Card = toml::from_str(&text)
            .map_err(|e| format!("{}: not a card: {}", path.display(), e.message()))?;
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
        let published = match known {
            Some(known) => Some(known),
            None => self.measure(style, &published, interrupted)?,
        };
        Ok(Standing {
            start_kimg,
            published,
            ..Standing::default()
        })
    }

    fn measure(
        &self,
        style: &str,
        generator: &Path,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Option<FeatureQuality>, Failure> {
        let weights = self.options.common.weights.as_deref();
        let meter = FeatureMeter::new(
            JUDGES[0],
            weights,
            compared(self.options.frechet_images),
            &self.meter_folder,
            &self.device,
        )?;
        let generator = Generator::load(generator, &self.device)?;
        let side = generator.config().img_resolution;
        let images =
            ImageSet::open_packed(folder(&self.weights).join(format!("{style}{TRAINING_IMAGES}")))?;
        let images = match images.side() == side {
            true => images,
            false => images.reduced(side)?,
        };
        meter.measure(&generator, &images, interrupted)
    }

    /// Anneals a copy of the run and puts its model into the zoo.
    fn publish(
        &self,
        style: &str,
        folder: &Path,
        kimg: f64,
        standing: &mut Standing,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let copy = folder.join("annealed");
        if copy.exists() {
            std::fs::remove_dir_all(&copy)
                .map_err(|e| format!("{}: cannot be removed ({e})", copy.display()))?;
        }
        files::make_folder(&copy)?;
        for file in [HISTORY, CHECKPOINT] {
            std::fs::copy(folder.join(file), copy.join(file))
                .map_err(|e| format!("{}: cannot be copied ({e})", folder.join(file).display()))?;
        }
        let end = kimg + ANNEALED_TURNS * self.options.turn_kimg;
        let mut args = self.place(style, &copy);
        args.extend(["--resume", "--publish", "--kimg"].map(str::to_owned));
        args.push(end.to_string());
        args.extend([
            "--anneal".to_owned(),
            format!("{kimg}:{end}:{ANNEALED_RATE}"),
        ]);
        run::train(&parsed(args)?, interrupted)?;
        if interrupted() {
            return Ok(());
        }
        standing.published = self.measure(style, &copy.join(GENERATOR), interrupted)?;
        standing.publications.push(kimg);
        standing.save(folder)
    }

    /// Where a style's run is and what it computes on.
    fn place(&self, style: &str, folder: &Path) -> Vec<String> {
        let common = &self.options.common;
        let mut args = vec![
            "train".to_owned(),
            "--zoo".to_owned(),
            style.to_owned(),
            "--out".to_owned(),
            folder.display().to_string(),
            "--device".to_owned(),
            format!("{:?}", common.device).to_lowercase(),
        ];
        if let Some(weights) = &common.weights {
            args.extend(["--weights".to_owned(), weights.display().to_string()]);
        }
        args
    }
}

/// Options that were written as one text with their value are taken apart.
fn parsed(args: Vec<String>) -> Result<Options, Failure> {
    let apart = args.iter().flat_map(|arg| match arg.split_once(' ') {
        Some((option, value)) if option.starts_with("--") => vec![option, value],
        _ => vec![arg.as_str()],
    });
    Options::parse_from_args(apart).map_err(|e| e.to_string().into())
}
