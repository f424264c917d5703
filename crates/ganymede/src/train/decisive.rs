//! The options that decide what a run trains, in one table: what they are called, what was written, and what becomes of them when the run goes on.

use vision_aided_finetune::TrainingConfig;

use crate::options::Options;
use examples::Failure;
use examples::training::provenance::shown;
use examples::training::vision_networks::VisionNetwork;

/// An option that decides what is trained.
struct Decisive {
    /// Its field in [`Options`], which is its name on the command line with dashes.
    name: &'static str,
    /// Its value as it is written; empty for one without.
    value: fn(&Options) -> String,
    resumed: Resumed,
}

/// What becomes of an option that is written for a run that goes on.
enum Resumed {
    /// It names the images, which the checkpoint is compared with.
    Compared,
    /// It decides how a run starts: it may be written again with the same value.
    Same,
    /// The run takes it, which is kept as a change.
    Changes(Take),
    /// It is given to the trainer, which refuses another value.
    Given(Take),
}

/// From the options as they are written now.
type Take = fn(&mut TrainingConfig, &TrainingConfig);

use Resumed::{Changes, Compared, Given, Same};

const DECISIVE: [Decisive; 23] = [
    of("zoo", Compared, |o| o.zoo.clone().unwrap_or_default()),
    of("images", Compared, |o| {
        let images: Vec<String> = o.images.iter().map(|path| shown(path, None)).collect();
        images.join(" ")
    }),
    of("generator", Same, |o| {
        let generator = o.generator.as_ref();
        generator.map_or_else(String::new, |which| shown(which.as_ref(), None))
    }),
    of("discriminator", Same, |o| {
        let discriminator = o.discriminator.as_deref();
        discriminator.map_or_else(String::new, |path| shown(path, None))
    }),
    of("resolution", Same, |o| o.resolution.to_string()),
    of("progressive", Same, |o| text(o.progressive.as_ref())),
    of("freeze_layers", Same, |o| o.freeze_layers.to_string()),
    of(
        "batch",
        Given(|run, now| run.batch_size = now.batch_size),
        |o| o.batch.to_string(),
    ),
    of("learning_rate", Changes(take_learning_rates), |o| {
        o.learning_rate.to_string()
    }),
    of(
        "gamma",
        Changes(|run, now| run.r1_gamma = now.r1_gamma),
        |o| o.gamma.to_string(),
    ),
    of(
        "path_length_weight",
        Changes(|run, now| run.path_length_weight = now.path_length_weight),
        |o| o.path_length_weight.to_string(),
    ),
    of(
        "style_mixing",
        Changes(|run, now| run.style_mixing_probability = now.style_mixing_probability),
        |o| o.style_mixing.to_string(),
    ),
    of(
        "average_kimg",
        Changes(|run, now| run.average.kimg = now.average.kimg),
        |o| text(o.average_kimg),
    ),
    of(
        "slow_average_kimg",
        Changes(|run, now| run.slow_average_kimg = now.slow_average_kimg),
        |o| text(o.slow_average_kimg),
    ),
    of(
        "shared_images",
        Changes(|run, now| run.shared_images = now.shared_images),
        |_| String::new(),
    ),
    of(
        "anneal",
        Changes(|run, now| run.annealing = now.annealing),
        |o| text(o.anneal),
    ),
    of(
        "augment",
        Changes(|run, now| run.augment = now.augment),
        |o| o.augment.to_string(),
    ),
    of("vision_aided", Same, |o| {
        let networks: Vec<String> = o.vision_aided.iter().map(VisionNetwork::shown).collect();
        networks.join(",")
    }),
    of("vision_aided_input", Same, |o| {
        o.vision_aided_input.to_string()
    }),
    of(
        "vision_aided_augment",
        Changes(|run, now| run.vision_aided.augment = now.vision_aided.augment),
        |o| o.vision_aided_augment.to_string(),
    ),
    of("mirror", Given(|run, now| run.mirror = now.mirror), |_| {
        String::new()
    }),
    of("noise", Given(|run, now| run.noise = now.noise), |_| {
        String::new()
    }),
    of("seed", Given(|run, now| run.seed = now.seed), |o| {
        o.common.seed.to_string()
    }),
];

const fn of(name: &'static str, resumed: Resumed, value: fn(&Options) -> String) -> Decisive {
    Decisive {
        name,
        value,
        resumed,
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn take_learning_rates(run: &mut TrainingConfig, now: &TrainingConfig) {
    run.generator_adam.learning_rate = now.generator_adam.learning_rate;
    run.discriminator_adam.learning_rate = now.discriminator_adam.learning_rate;
    run.vision_aided.adam.learning_rate = now.vision_aided.adam.learning_rate;
}

impl Decisive {
    /// As it is written on a command line, where it was written.
    fn written(&self, options: &Options) -> Option<String> {
        let text = || format!("{} {}", self.argument(), (self.value)(options));
        let is_given = options.is_given(self.name);
        is_given.then(|| text().trim_end().to_owned())
    }

    fn argument(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }
}

impl Options {
    /// The options of a resumed run: those of `run`, but for what was written now. The trainer refuses what cannot change.
    ///
    /// `started` are the [`decisive`](Self::decisive) options that the run was started with. Those that decide a start may be written again with the same value.
    pub fn resumed_config(
        &self,
        run: &TrainingConfig,
        started: &[String],
    ) -> Result<TrainingConfig, Failure> {
        let options_now = self.training_config(false);
        let mut config = run.clone();
        for option in &DECISIVE {
            let Some(now) = option.written(self) else {
                continue;
            };
            match option.resumed {
                Compared => {}
                Same => check_same(option, self, &now, started)?,
                Changes(take) | Given(take) => take(&mut config, &options_now),
            }
        }
        Ok(config)
    }

    /// The written options that decide what is trained, without the run's length, as they are written on a command line.
    pub fn decisive(&self) -> Vec<String> {
        let written = DECISIVE.iter().filter_map(|option| option.written(self));
        written.collect()
    }

    /// Those of them that a resumed run can take.
    pub fn changed(&self) -> Vec<String> {
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
    options: &Options,
    now: &str,
    started: &[String],
) -> Result<(), Failure> {
    let name = option.argument();
    let of_option = |text: &&String| text.split(' ').next() == Some(name.as_str());
    let then = started.iter().find(of_option);
    let is_same = match then {
        Some(then) => then == now,
        // Not written then: it had its default.
        None => Options::parse_from_args(["train"])
            .is_ok_and(|defaults| (option.value)(&defaults) == (option.value)(options)),
    };
    if is_same {
        return Ok(());
    }
    let then = then.map_or("its default".to_owned(), |then| format!("`{then}`"));
    Err(format!(
        "{name} decides how a run starts and cannot change it now: found `{now}`, the run was started with {then}; leave it out, or start \
         a new run with another --out"
    )
    .into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn options(args: &[&str]) -> Result<Options, clap::Error> {
        Options::parse_from_args([&["train"], args].concat())
    }

    #[test]
    fn the_table_names_options_that_there_are() {
        let command = Options::command();
        for option in &DECISIVE {
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
        let run = options(&["--batch=8", "--mirror", "--gamma=3", "--seed=4"])
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
