//! What the programs are asked to do: small things that write every kind of file.

use std::path::PathBuf;
use std::time::Duration;

/// A call of a program. In arguments `{out}` stands for the folder that it writes to, `{pictures}`, `{image}`,
/// `{model}`, `{latent}` and `{zoo}` for what it reads, and `{base}` for the folder that all of these lie in.
#[derive(Clone, Debug)]
pub struct Job {
    pub program: &'static str,
    /// Separated by spaces.
    pub args: &'static str,
    /// Added when a run that was killed goes on.
    pub resume: &'static str,
    /// The file in `{out}` whose tensors must be those of the undisturbed run in the end.
    pub outcome: Option<&'static str>,
    /// Which of its inputs, or of its own files when it resumes, gets damaged.
    pub reads: &'static [Input],
    /// How long it takes undisturbed.
    pub takes: Duration,
    /// What it wrote undisturbed.
    pub reference: PathBuf,
}

/// A file that a job reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Image,
    Model,
    Latent,
    /// The index of `{zoo}`.
    Index,
    /// The card of a model of `{zoo}`.
    Card,
    /// A file of its own in `{out}`, read when it goes on.
    Own(&'static str),
}

impl Input {
    /// Whether the file has checksums, so that a change may not pass.
    pub fn is_checked(self) -> bool {
        matches!(self, Self::Index | Self::Own(_) | Self::Latent)
    }
}

const fn job(program: &'static str, args: &'static str, reads: &'static [Input]) -> Job {
    Job {
        program,
        args,
        resume: "",
        outcome: None,
        reads,
        takes: Duration::ZERO,
        reference: PathBuf::new(),
    }
}

/// All of them; those that write most first.
pub fn all() -> Vec<Job> {
    vec![
        Job {
            resume: "--resume",
            outcome: Some("training.safetensors"),
            ..job(
                "train",
                "--images {pictures} --out {out} --resolution 16 --progressive none --batch 4 --kimg 0.12 --snapshot-kimg 0.02 --checkpoint-minutes 0.0001",
                &[Input::Own("training.safetensors"), Input::Image],
            )
        },
        job(
            "generate",
            "--model {model} --seeds 0-7 --single --out {out} --json {out}/results.json",
            &[Input::Model],
        ),
        job(
            "invert",
            "--image {image} --model {model} --steps 4 --animation --out {out} --json {out}/results.json",
            &[Input::Image, Input::Model],
        ),
        job(
            "interpolate",
            "--model {model} --from {latent} --to 2 --frames 4 --out {out} --json {out}/results.json",
            &[Input::Latent, Input::Model],
        ),
        Job {
            // What a killed run had finished is in the way of the next one unless it may be replaced.
            resume: "--overwrite",
            ..job("convert", "{model} --out {out}", &[Input::Model])
        },
        job(
            "search",
            "--image {image} --zoo {zoo} --json {out}/results.json",
            &[Input::Index, Input::Card, Input::Image],
        ),
        job(
            "index",
            "build --zoo {out}/zoo --samples 64 --dimension 16 --moments {out}/moments",
            &[],
        ),
        job(
            "fid",
            "--real {pictures} --fake {pictures} --json {out}/results.json",
            &[Input::Image],
        ),
        job(
            "edit",
            "--model {model} --latent {latent} --strength -1 1 --random 1 --samples 64 --components 2 --out {out} --json {out}/results.json",
            &[Input::Latent, Input::Model],
        ),
        Job {
            outcome: Some("training.safetensors"),
            ..job(
                "finetune",
                "--source {model} --images {pictures} --kimg 0.012 --batch 4 --snapshot-kimg 0.004 --samples 4 --vision-aided-input 32 --checkpoint-minutes 0.0001 --out {out}",
                &[Input::Own("training.safetensors"), Input::Image],
            )
        },
        job(
            "study_inversion",
            "--images {base}/sets --models {zoo} --count 2 --ranks 1,2 --steps 3 --batch 2 --interpolations 1 --frames 2 --resamples 100 --out {out} --json {out}/results.json",
            &[Input::Index, Input::Card],
        ),
        job(
            "study_transfer",
            "--images {pictures} --models {zoo} --ranks 1 --seeds 1 --kimg 0.008 --batch 4 --snapshot-kimg 0.004 --samples 4 --vision-aided-input 32 --checkpoint-minutes 0.0001 --out {out}",
            &[Input::Index, Input::Card],
        ),
    ]
}
