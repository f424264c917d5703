//! Killing a run at any moment leaves a checkpoint that can be resumed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use stylegan2::RandomState;
use vision_aided_finetune::Trainer;

use crate::small_run::{config, images, trainer};

const KILLS: usize = 20;
/// Names the folder to a child process; a run of all tests does not set it.
const FOLDER: &str = "KILLED_TRAINING_FOLDER";

fn device() -> Device {
    testkit::devices().remove(0).1
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("training.safetensors")
}

#[test]
fn twenty_kills_at_random_moments_leave_twenty_readable_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let file = checkpoint(folder.path());
    let mut random = RandomState::new(8);
    let mut before = 0;
    for kill in 0..KILLS {
        let mut child = start(folder.path());
        wait_for_progress(&file, before, &mut child);
        // Longer than an iteration and a save together, so that kills fall everywhere in both.
        std::thread::sleep(Duration::from_secs_f64(0.1 * random.uniform()));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut resumed = Trainer::resume(&file, images(10), &device())
            .unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert!(resumed.iterations() > before, "kill {kill}: no progress");
        before = resumed.iterations();
        assert!(resumed.step().unwrap().generator_loss.is_finite());
    }
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

/// Waits for a checkpoint of this child, so that every kill hits a process that is training and saving.
fn wait_for_progress(file: &Path, before: u64, child: &mut Child) {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Ok(trainer) = Trainer::resume(file, images(10), &device())
            && trainer.iterations() > before
        {
            return;
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
        Trainer::resume(&file, images(10), &device()).unwrap()
    } else {
        trainer(config(), &device()).unwrap()
    };
    loop {
        run.step().unwrap();
        run.save(&file).unwrap();
    }
}
