//! Killing a run at any moment leaves a checkpoint that can be resumed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use stylegan2::RandomState;
use vision_aided_finetune::{History, HistoryEntry, Trainer};

use crate::small_run::{config, images, trainer};

const KILLS: usize = 20;
/// Steps and saves whose longest tells how far apart two checkpoints of a child are.
const TIMED: usize = 3;
/// Names the folder to a child process; a run of all tests does not set it.
const FOLDER: &str = "KILLED_TRAINING_FOLDER";

fn device() -> Device {
    testkit::devices().remove(0).1
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("training.safetensors")
}

fn history(folder: &Path) -> PathBuf {
    folder.join("history.jsonl")
}

#[test]
fn twenty_kills_at_random_moments_leave_twenty_readable_checkpoints_and_histories() {
    let period = time_between_checkpoints();
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path());
    let mut random = RandomState::new(8);
    let mut before = 0;
    for kill in 0..KILLS {
        let mut child = start(folder.path());
        let seen = wait_for_progress(&file, before, &mut child);
        // Up to two rounds of step and save, so that kills fall everywhere in both.
        std::thread::sleep(period.mul_f64(2.0 * random.uniform()));
        child.kill().unwrap();
        child.wait().unwrap();
        let unfinished = std::fs::read_dir(folder.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                let length = entry.as_ref().unwrap().metadata().unwrap().len();
                name.to_string_lossy().ends_with(".partial") && length > 0
            })
            .count();
        assert!(unfinished <= 1, "kill {kill}: {unfinished} temporary files");
        // As every program does when it opens its folder.
        let cleared = whole_file::remove_leftovers(folder.path()).unwrap();
        assert_eq!(cleared, unfinished, "kill {kill}");
        let mut resumed = Trainer::resume(&file, images(10), &[], &device())
            .unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert!(resumed.iterations() >= seen, "kill {kill}: an older file");
        before = resumed.iterations();
        assert!(resumed.step().unwrap().generator_loss.is_finite());
        // An entry is written before its checkpoint, so that the history is complete up to it.
        let history = History::open(history(folder.path()), before)
            .unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let iterations: Vec<u64> = history.entries().iter().map(|e| e.iteration).collect();
        assert_eq!(iterations, (1..=before).collect::<Vec<_>>(), "kill {kill}");
    }
}

/// How long a child takes from one checkpoint to the next.
fn time_between_checkpoints() -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut run = trainer(config(), &device()).unwrap();
    (0..TIMED)
        .map(|_| {
            let begin = Instant::now();
            run.step().unwrap();
            run.save(checkpoint(folder.path())).unwrap();
            begin.elapsed()
        })
        .max()
        .expect("at least one")
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "killed::train_and_save_without_end"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for a checkpoint of this child, so that every kill hits a process that is training and saving; returns its
/// iterations.
fn wait_for_progress(file: &Path, before: u64, child: &mut Child) -> u64 {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(trainer) = Trainer::resume(file, images(10), &[], &device())
            && trainer.iterations() > before
        {
            return trainer.iterations();
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the child ended by itself: {ended:?}");
        assert!(Instant::now() < limit, "no checkpoint within a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "runs until it is killed, as a child process of the test above"]
fn train_and_save_without_end() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let file = checkpoint(Path::new(&folder));
    let mut run = if file.exists() {
        Trainer::resume(&file, images(10), &[], &device()).unwrap()
    } else {
        trainer(config(), &device()).unwrap()
    };
    let mut history = History::open(history(Path::new(&folder)), run.iterations()).unwrap();
    loop {
        let report = run.step().unwrap();
        history
            .push(HistoryEntry::mean_of(&[report], config().batch_size, 1.0))
            .unwrap();
        run.save(&file).unwrap();
    }
}
