//! The faults, and what must be true after them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::damage::damaged;
use crate::jobs::{Input, Job};
use crate::place::{Place, copy_folder};
use crate::random::Random;
use crate::verdict::{Verdict, of_end};
use crate::whole;
use examples::Failure;

/// What is done to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is killed in the middle, and run again.
    Kill,
    /// A file that it reads is damaged.
    Damage,
    /// No file may grow beyond a size.
    FullDisk,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Kill, Self::Damage, Self::FullDisk];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kill => "kill",
            Self::Damage => "damage",
            Self::FullDisk => "full disk",
        })
    }
}

/// None where the job has nothing to damage.
pub fn inflict(
    kind: Kind,
    job: &Job,
    place: &Place,
    random: &mut Random,
) -> Result<Option<Verdict>, Failure> {
    match kind {
        Kind::Kill => kill(job, place, random).map(Some),
        Kind::Damage => damage(job, place, random),
        Kind::FullDisk => full_disk(job, place, random).map(Some),
    }
}

fn lost(reason: impl Into<String>) -> Result<Verdict, Failure> {
    Ok(Verdict::Lost(reason.into()))
}

fn kill(job: &Job, place: &Place, random: &mut Random) -> Result<Verdict, Failure> {
    let out = place.fresh("kill")?;
    // What an earlier run has left must outlive the kill of one that replaces it.
    let replaces = job.resume.is_empty() && random.below(2) == 0;
    if replaces {
        copy_folder(&job.reference, &out)?;
    }
    let mut child = place.start(job.program, job.args, &out, None)?;
    std::thread::sleep(job.takes.mul_f64(random.share()));
    // It may have ended, which is no error.
    child.kill()?;
    child.wait()?;
    if let Some(broken) = whole::first_broken(&out)? {
        return lost(format!("killed: {broken}"));
    }
    if replaces {
        for file in whole::files(&job.reference)? {
            let kept = out.join(file.strip_prefix(&job.reference)?);
            if !kept.exists() {
                return lost(format!("killed: {} is gone", kept.display()));
            }
        }
    }
    let resumes = job.outcome.is_none_or(|file| out.join(file).exists());
    let ended = place.run(job, resumes, &out, None)?;
    match of_end(ended.as_ref(), &[]) {
        Verdict::Sound => {}
        Verdict::Refused => {
            let said = ended.map(|ended| ended.stderr).unwrap_or_default();
            return lost(format!("does not go on after a kill: {said}"));
        }
        other => return Ok(other),
    }
    finished(job, &out)
}

/// That a run has the result of the undisturbed one and left nothing else.
fn finished(job: &Job, out: &Path) -> Result<Verdict, Failure> {
    if let Some(broken) = whole::first_broken(out)? {
        return lost(broken);
    }
    for file in whole::files(&job.reference)? {
        let made = out.join(file.strip_prefix(&job.reference)?);
        if !made.exists() {
            return lost(format!("{} is missing in the end", made.display()));
        }
    }
    let leftover = whole::files(out)?
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "partial") && !is_new_and_empty(file));
    if let Some(leftover) = leftover {
        return lost(format!("{} was not cleared up", leftover.display()));
    }
    match job.outcome {
        Some(file) if !whole::same_tensors(&job.reference.join(file), &out.join(file))? => {
            lost(format!("{file} is not that of the undisturbed run"))
        }
        _ => Ok(Verdict::Sound),
    }
}

/// A kill between making a file and locking it leaves one that nobody can tell from a file that is just being made.
fn is_new_and_empty(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
}

fn damage(job: &Job, place: &Place, random: &mut Random) -> Result<Option<Verdict>, Failure> {
    if job.reads.is_empty() {
        return Ok(None);
    }
    let input = job.reads[random.below(job.reads.len())];
    let out = place.fresh("damage")?;
    if let Input::Own(_) = input {
        copy_folder(&job.reference, &out)?;
    }
    let file = path(input, place, &out);
    let sound = std::fs::read(&file)?;
    let bytes = damaged(&sound, random);
    std::fs::write(&file, &bytes)?;
    let ended = place.run(job, matches!(input, Input::Own(_)), &out, None);
    // The next try needs the file as it was, however this one ended.
    std::fs::write(&file, &sound)?;
    let ended = ended?;
    let verdict = of_end(ended.as_ref(), &[&file]);
    if verdict == Verdict::Sound && input.is_checked() && bytes != sound {
        // An own file is written anew when a run goes on.
        return lost(format!("a damaged {} passed", file.display())).map(Some);
    }
    Ok(Some(verdict))
}

fn path(input: Input, place: &Place, out: &Path) -> PathBuf {
    match input {
        Input::Image => place.path("pictures/03.png"),
        Input::Model => place.path("zoo/funEmoji/generator.safetensors"),
        Input::Latent => place.path("latent.safetensors"),
        Input::Index => place.path("zoo/index.ganymede"),
        Input::Card => place.path("zoo/funEmoji/card.toml"),
        Input::Own(name) => out.join(name),
    }
}

fn full_disk(job: &Job, place: &Place, random: &mut Random) -> Result<Verdict, Failure> {
    let out = place.fresh("full")?;
    let replaces = job.resume.is_empty();
    if replaces {
        copy_folder(&job.reference, &out)?;
    }
    let before = whole::files(&out)?;
    let largest = before
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|metadata| metadata.len() / 1024)
        .max();
    let limit = random.below(largest.unwrap_or(64).max(2) as usize) as u64;
    let ended = place.run(job, false, &out, Some(limit))?;
    if let Some(broken) = whole::first_broken(&out)? {
        return lost(format!("files of at most {limit} kB: {broken}"));
    }
    for file in &before {
        if !file.exists() {
            return lost(format!(
                "files of at most {limit} kB: {} is gone",
                file.display()
            ));
        }
    }
    let leftover = whole::files(&out)?
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "partial"));
    if let Some(leftover) = leftover {
        return lost(format!(
            "files of at most {limit} kB: {} was left",
            leftover.display()
        ));
    }
    let written: Vec<PathBuf> = whole::files(&job.reference)?;
    let names: Vec<&Path> = written.iter().map(PathBuf::as_path).collect();
    Ok(of_end(ended.as_ref(), &names))
}
