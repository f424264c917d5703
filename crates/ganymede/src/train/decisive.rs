//! The options that decide what a run trains, in one table: what they are called, what was written, and what becomes of
//! them when the run goes on.

use vision_aided_finetune::TrainingConfig;

use super::Options;
use crate::Error;
use crate::runs::provenance::shown;
use crate::runs::vision_networks::VisionNetwork;

/// An option that decides what is trained.
struct Decisive {
    /// Its field in [`Options`], which is its name on the command line with dashes.
    name: &'static str,
    /// Its value as it is written on a command line, where it is there; empty for one without.
    value: fn(&Options) -> Option<String>,
    resumed: Resumed,
}

/// What becomes of an option that is given to a run that goes on.
enum Resumed {
    /// It names the images, which the checkpoint is compared with.
    Compared,
    /// It decides how a run starts: it may be given again with the same value. This is what holds, also where it is
    /// absent.
    Same(fn(&Options) -> String),
    /// The run takes it, which is kept as a change.
    Changes(Take),
    /// It is given to the trainer, which refuses another value.
    Given(Take),
}

/// From the options as they are now.
type Take = fn(&mut TrainingConfig, &TrainingConfig);

use Resumed::{Changes, Compared, Given, Same};

const DECISIVE: [Decisive; 29] = [
    of("zoo", Compared, |o| o.zoo.clone()),
    of("images", Compared, |o| {
        let images: Vec<String> = o.images.iter().map(|path| shown(path, None)).collect();
        list(&images, " ")
    }),
    of("generator", Same(|o| text(generator(o))), generator),
    of(
        "discriminator",
        Same(|o| text(discriminator(o))),
        discriminator,
    ),
    of("resolution", Same(|o| o.resolution().to_string()), |o| {
        written(o.resolution)
    }),
    of(
        "channel_base",
        Same(|o| o.channel_base().to_string()),
        |o| written(o.channel_base),
    ),
    of("channel_max", Same(|o| o.channel_max().to_string()), |o| {
        written(o.channel_max)
    }),
    of("progressive", Same(|o| text(o.progressive.as_ref())), |o| {
        written(o.progressive.as_ref())
    }),
    of(
        "freeze_layers",
        Same(|o| o.freeze_layers().to_string()),
        |o| written(o.freeze_layers),
    ),
    of(
        "batch",
        Given(|run, now| run.batch_size = now.batch_size),
        |o| written(o.batch),
    ),
    of("learning_rate", Changes(take_learning_rates), |o| {
        written(o.learning_rate)
    }),
    of(
        "gamma",
        Changes(|run, now| run.r1_gamma = now.r1_gamma),
        |o| written(o.gamma),
    ),
    of(
        "r2_gamma",
        Changes(|run, now| run.r2_gamma = now.r2_gamma),
        |o| written(o.r2_gamma),
    ),
    of(
        "relativistic",
        Changes(|run, now| run.relativistic = now.relativistic),
        |o| flag(o.relativistic),
    ),
    of(
        "flatness_weight",
        Changes(|run, now| run.flatness_weight = now.flatness_weight),
        |o| written(o.flatness_weight),
    ),
    of(
        "path_length_weight",
        Changes(|run, now| run.path_length_weight = now.path_length_weight),
        |o| written(o.path_length_weight),
    ),
    of(
        "style_mixing",
        Changes(|run, now| run.style_mixing_probability = now.style_mixing_probability),
        |o| written(o.style_mixing),
    ),
    of(
        "average_kimg",
        Changes(|run, now| run.average.kimg = now.average.kimg),
        |o| written(o.average_kimg),
    ),
    of(
        "slow_average_kimg",
        Changes(|run, now| run.slow_average_kimg = now.slow_average_kimg),
        |o| written(o.slow_average_kimg),
    ),
    of(
        "shared_images",
        Changes(|run, now| run.shared_images = now.shared_images),
        |o| flag(o.shared_images),
    ),
    of(
        "anneal",
        Changes(|run, now| run.annealing = now.annealing),
        |o| written(o.anneal),
    ),
    of(
        "augment",
        Changes(|run, now| run.augment = now.augment),
        |o| written(o.augment),
    ),
    of(
        "vision_aided",
        Same(|o| text(vision_aided(o))),
        vision_aided,
    ),
    of(
        "vision_aided_input",
        Same(|o| o.vision_aided_input().to_string()),
        |o| written(o.vision_aided_input),
    ),
    of(
        "vision_aided_balance",
        Changes(|run, now| run.vision_aided.balance = now.vision_aided.balance),
        |o| written(o.vision_aided_balance),
    ),
    of(
        "vision_aided_augment",
        Changes(|run, now| run.vision_aided.augment = now.vision_aided.augment),
        |o| written(o.vision_aided_augment),
    ),
    of("mirror", Given(|run, now| run.mirror = now.mirror), |o| {
        flag(o.mirror)
    }),
    of("noise", Given(|run, now| run.noise = now.noise), |o| {
        flag(o.noise)
    }),
    of("seed", Given(|run, now| run.seed = now.seed), |o| {
        written(o.seed)
    }),
];

const fn of(
    name: &'static str,
    resumed: Resumed,
    value: fn(&Options) -> Option<String>,
) -> Decisive {
    Decisive {
        name,
        value,
        resumed,
    }
}

fn generator(options: &Options) -> Option<String> {
    let generator = options.generator.as_ref()?;
    Some(shown(generator.as_ref(), None))
}

fn discriminator(options: &Options) -> Option<String> {
    Some(shown(options.discriminator.as_ref()?, None))
}

fn vision_aided(options: &Options) -> Option<String> {
    let networks = options.vision_aided.iter().map(VisionNetwork::shown);
    list(&networks.collect::<Vec<_>>(), ",")
}

fn list(values: &[String], separator: &str) -> Option<String> {
    (!values.is_empty()).then(|| values.join(separator))
}

fn written(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn flag(is_on: bool) -> Option<String> {
    is_on.then(String::new)
}

fn text(value: Option<impl ToString>) -> String {
    written(value).unwrap_or_default()
}

fn take_learning_rates(run: &mut TrainingConfig, now: &TrainingConfig) {
    run.generator_adam.learning_rate = now.generator_adam.learning_rate;
    run.discriminator_adam.learning_rate = now.discriminator_adam.learning_rate;
    run.vision_aided.adam.learning_rate = now.vision_aided.adam.learning_rate;
}

impl Decisive {
    /// As it is written on a command line, where it is there.
    fn written(&self, options: &Options) -> Option<String> {
        let value = (self.value)(options)?;
        Some(format!("{} {value}", self.argument()).trim_end().to_owned())
    }

    fn argument(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

impl Options {
    /// The options of a resumed run: those of `run`, but for what is there now. The trainer refuses what cannot change.
    ///
    /// `started` are the [`decisive`](Self::decisive) options that the run was started with. Those that decide a start
    /// may be given again with the same value.
    pub(super) fn resumed_config(
        &self,
        run: &TrainingConfig,
        started: &[String],
    ) -> Result<TrainingConfig, Error> {
        let options_now = self.training_config(false);
        let mut config = run.clone();
        for option in &DECISIVE {
            let Some(now) = option.written(self) else {
                continue;
            };
            match option.resumed {
                Compared => {}
                Same(effective) => check_same(option, effective, self, &now, started)?,
                Changes(take) | Given(take) => take(&mut config, &options_now),
            }
        }
        Ok(config)
    }

    /// The options that decide what is trained and are there, without the run's length, as they are written on a
    /// command line.
    pub fn decisive(&self) -> Vec<String> {
        let written = DECISIVE.iter().filter_map(|option| option.written(self));
        written.collect()
    }

    /// Those of them that a resumed run can take.
    pub(super) fn changed(&self) -> Vec<String> {
        DECISIVE
            .iter()
            .filter(|option| matches!(option.resumed, Changes(_)))
            .filter_map(|option| option.written(self))
            .collect()
    }
}

/// Whether an option that decides a start says what it said then.
fn check_same(
    option: &Decisive,
    effective: fn(&Options) -> String,
    options: &Options,
    now: &str,
    started: &[String],
) -> Result<(), Error> {
    let name = option.argument();
    let of_option = |text: &&String| text.split(' ').next() == Some(name.as_str());
    let then = started.iter().find(of_option);
    let is_same = match then {
        Some(then) => then == now,
        // Not written then: it had its default.
        None => effective(&Options::default()) == effective(options),
    };
    if is_same {
        return Ok(());
    }
    let then = then.map_or("its default".to_owned(), |then| format!("`{then}`"));
    Err(Error::option(
        option.name,
        "",
        format!(
            "it decides how a run starts and cannot change it now: found `{now}`, the run was started with {then}; leave it out, or start a new run \
             elsewhere"
        ),
    ))
}

#[cfg(all(test, feature = "clap"))]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use clap::{Args, Command};

    use super::super::command_line::written as options;
    use super::*;

    #[test]
    fn the_table_names_options_that_there_are() {
        let command = Options::augment_args(Command::new("train"));
        // The seed is an option of all programs.
        for option in DECISIVE.iter().filter(|option| option.name != "seed") {
            let mut arguments = command.get_arguments();
            assert!(
                arguments.any(|argument| argument.get_id() == option.name),
                "{}",
                option.name
            );
        }
    }

    #[test]
    fn a_resumed_run_takes_what_was_written_and_keeps_the_rest() {
        let run = options(&["--batch=8", "--mirror", "--gamma=3"])
            .unwrap()
            .training_config(true);
        assert_eq!(run.average.rampup, None);
        let same = options(&["--resume"]).unwrap();
        assert_eq!(same.resumed_config(&run, &[]).unwrap(), run);
        let changed = options(&[
            "--resume",
            "--learning-rate=0.001",
            "--average-kimg=2",
            "--augment=color",
        ])
        .unwrap()
        .resumed_config(&run, &[])
        .unwrap();
        assert_eq!(changed.average.kimg, 2.0);
        assert_eq!(changed.generator_adam.learning_rate, 0.001);
        assert_eq!(changed.discriminator_adam.learning_rate, 0.001);
        assert!(changed.augment.color);
        assert_eq!((changed.r1_gamma, changed.batch_size), (3.0, 8));
        let started = ["--resolution 16".to_owned()];
        let resumed = |args: &[&str]| options(args).unwrap().resumed_config(&run, &started);
        // Written again, with the value that it had or has without being written.
        let again = ["--resume", "--resolution=16", "--freeze-layers=0"];
        assert_eq!(resumed(&again).unwrap(), run);
        for (option, then) in [
            ("--freeze-layers=1", "its default"),
            ("--resolution=32", "`--resolution 16`"),
            ("--progressive=none", "its default"),
        ] {
            let message = resumed(&["--resume", option]).unwrap_err().to_string();
            let name = option.split('=').next().unwrap();
            assert!(
                message.contains(name) && message.contains(then),
                "{message}"
            );
        }
    }

    #[test]
    fn what_decides_a_run_is_written_down_without_where_it_is_kept() {
        let options = options(&[
            "--zoo=micah",
            "--out=/somewhere",
            "--kimg=5",
            "--mirror",
            "--generator=/home/someone/g.pkl",
            "--gamma=0.5",
        ]);
        assert_eq!(
            options.unwrap().decisive(),
            [
                "--zoo micah",
                "--generator g.pkl",
                "--gamma 0.5",
                "--mirror"
            ]
        );
    }
}
