//! The folder that all happens in, and the calls of programs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use image_tensor::{Rgb, RgbImage, write_png};
use tempfile::TempDir;

use crate::jobs::Job;
use crate::{LEAST_PATIENCE, PATIENCE};
use examples::Failure;

/// Models of the copied zoo.
const MODELS: [&str; 2] = ["funEmoji", "rings"];
/// Images of a set.
const PICTURES: u8 = 12;

/// What the jobs read, and folders for what they write.
pub struct Place {
    folder: TempDir,
    programs: PathBuf,
    weights: PathBuf,
}

/// How a call ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
}

impl Place {
    pub fn new(programs: &Path, weights: &Path) -> Result<Self, Failure> {
        let place = Self {
            folder: tempfile::tempdir()?,
            programs: std::fs::canonicalize(programs)?,
            weights: std::fs::canonicalize(weights)
                .map_err(|e| format!("--weights {}: {e}", weights.display()))?,
        };
        let pictures = place.path("pictures");
        std::fs::create_dir(&pictures)?;
        for index in 0..PICTURES {
            let picture =
                RgbImage::from_fn(20, 18, |x, y| Rgb([12 * x as u8, 14 * y as u8, 21 * index]));
            write_png(pictures.join(format!("{index:02}.png")), &picture)?;
        }
        // The same as a set with a name.
        copy_folder(&pictures, &place.path("sets/squares"))?;
        for name in MODELS {
            let model = place.path("zoo").join(name);
            std::fs::create_dir_all(&model)?;
            for file in ["card.toml", "generator.safetensors"] {
                let from = place.weights.join("zoo").join(name).join(file);
                std::fs::copy(&from, model.join(file))
                    .map_err(|e| format!("{}: {e}", from.display()))?;
            }
        }
        let index = "build --zoo {zoo} --samples 64 --dimension 16 --moments {base}/moments";
        place.expect("index", index, &place.path("none"))?;
        let invert = "--image {image} --model {model} --steps 1 --out {base}/latents";
        place.expect("invert", invert, &place.path("none"))?;
        let latent = std::fs::read_dir(place.path("latents"))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .ok_or("invert wrote no latents")?;
        std::fs::rename(latent, place.path("latent.safetensors"))?;
        Ok(place)
    }

    pub fn has(&self, program: &str) -> bool {
        self.programs.join(program).is_file()
    }

    /// Leaves the folder where it is.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder that nothing is in, with the zoo of jobs that write into one.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, Failure> {
        let out = self.path(name);
        if out.exists() {
            std::fs::remove_dir_all(&out)?;
        }
        std::fs::create_dir_all(&out)?;
        copy_folder(&self.path("zoo"), &out.join("zoo"))?;
        std::fs::remove_file(out.join("zoo/index.ganymede"))?;
        std::fs::remove_file(out.join("zoo/index.toml"))?;
        Ok(out)
    }

    /// A job with how long it takes and what it writes.
    pub fn undisturbed(&self, job: Job) -> Result<Job, Failure> {
        let out = self.fresh(&format!("reference-{}", job.program))?;
        let started = Instant::now();
        self.expect(job.program, job.args, &out)?;
        Ok(Job {
            takes: started.elapsed(),
            reference: out,
            ..job
        })
    }

    fn expect(&self, program: &str, args: &str, out: &Path) -> Result<(), Failure> {
        let mut child = self.start(program, args, out, None)?;
        let ended = wait(&mut child, Duration::from_secs(600), &self.path("stderr"))?;
        match ended {
            Some(ended) if ended.status.success() => Ok(()),
            Some(ended) => Err(format!("{program} fails undisturbed: {}", ended.stderr).into()),
            None => Err(format!("{program} takes more than 600 s undisturbed").into()),
        }
    }

    /// Starts a program with arguments that spaces separate; files of at most `kilobytes` where there is such a limit.
    pub fn start(
        &self,
        program: &str,
        args: &str,
        out: &Path,
        kilobytes: Option<u64>,
    ) -> Result<Child, Failure> {
        let filled = args.split_whitespace().map(|arg| self.fill(arg, out));
        let program = self.programs.join(program);
        let mut command = match kilobytes {
            None => Command::new(&program),
            Some(limit) => {
                // Without its signal a limit gives the error that a full disk gives. The shell counts in blocks of 512
                // bytes.
                let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * limit);
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(script).arg(&program);
                shell
            }
        };
        Ok(command
            .args(filled)
            .arg("--weights")
            .arg(&self.weights)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.path("stderr"))?)
            .spawn()?)
    }

    fn fill(&self, arg: &str, out: &Path) -> String {
        let shown = |path: PathBuf| path.display().to_string();
        arg.replace("{out}", &shown(out.to_owned()))
            .replace("{base}", &shown(self.folder.path().to_owned()))
            .replace("{pictures}", &shown(self.path("pictures")))
            .replace("{image}", &shown(self.path("pictures/03.png")))
            .replace(
                "{model}",
                &shown(self.path("zoo/funEmoji/generator.safetensors")),
            )
            .replace("{latent}", &shown(self.path("latent.safetensors")))
            .replace("{zoo}", &shown(self.path("zoo")))
    }

    /// Runs a job to its end; none where it hangs.
    pub fn run(
        &self,
        job: &Job,
        resume: bool,
        out: &Path,
        kilobytes: Option<u64>,
    ) -> Result<Option<Ended>, Failure> {
        let more = if resume { job.resume } else { "" };
        let args = format!("{} {more}", job.args);
        let mut child = self.start(job.program, &args, out, kilobytes)?;
        let patience = (PATIENCE * job.takes).max(LEAST_PATIENCE);
        wait(&mut child, patience, &self.path("stderr"))
    }
}

/// Waits for a program's end; kills it and gives none where it takes too long.
fn wait(child: &mut Child, patience: Duration, stderr: &Path) -> Result<Option<Ended>, Failure> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            let mut bytes = Vec::new();
            // More than any message should have.
            const MOST: u64 = 1 << 20;
            File::open(stderr)?.take(MOST).read_to_end(&mut bytes)?;
            return Ok(Some(Ended {
                status,
                stderr: String::from_utf8_lossy(&bytes).into_owned(),
            }));
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
