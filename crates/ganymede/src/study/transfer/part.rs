//! The runs of a part of a study in one file, and the report of all parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use checkpoint_file::{StoredDType, StoredTensor};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::design::{Design, Subject};
use super::findings::{Findings, Folders, FoundRuns, Sheet};
use super::plan::Source;
use super::report::{self, Outcome};
use super::second::SecondDistance;
use crate::part_file::{self, PartFile, files_of, malformed};
use crate::runs::run_folder::CHECKPOINT;
use crate::transfer::Settings;
use crate::transfer::distance::Measurement;
use crate::transfer::ranking::Ranked;
use crate::transfer::record::Record;
use crate::{Error, Observer, Phase, files, text};

/// What a part is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartRecord {
    /// The same in all parts of a study.
    study: StudyRecord,
    /// By [`run_name`].
    runs: BTreeMap<String, RunRecord>,
}

/// A [`Design`]. Numbers are written as text that reads back as the same number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StudyRecord {
    distance: String,
    second_distance: String,
    #[serde(with = "text")]
    kimg: f64,
    seeds: Vec<u32>,
    /// Those of a run of the first seed with discriminators on frozen networks.
    settings: Settings,
    targets: Vec<SubjectRecord>,
}

/// A [`Subject`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectRecord {
    name: String,
    has_reference: bool,
    /// The best first.
    ranking: Vec<Place>,
    sources: Vec<SourceRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    model: String,
    #[serde(with = "text")]
    score: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceRecord {
    rank: usize,
    plain: bool,
}

/// A run. How long anything took is left out, so that a run that is made twice is the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRecord {
    /// What it started from, was trained on and is measured against.
    made_of: Record,
    history: Vec<Measured>,
    second: SecondRecord,
    /// Iterations of the measurements that samples were drawn after.
    sheets: Vec<u64>,
}

/// A [`Measurement`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    iteration: u64,
    #[serde(with = "text")]
    kimg: f64,
    #[serde(with = "text")]
    frechet_distance: f64,
    #[serde(with = "text")]
    frechet_distance_training: f64,
    /// As text each.
    #[serde(default)]
    resampled: Vec<String>,
}

/// An [`SecondDistance`] distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondRecord {
    distance: String,
    generator: String,
    #[serde(with = "text")]
    start: f64,
    #[serde(with = "text")]
    best: f64,
}

impl part_file::PartRecord for PartRecord {
    const KIND: &'static str = "part of a study of transfer";
    const WRITTEN_BY: &'static str = "study_transfer --parts";
}

/// A run's name in a part.
fn run_name(subject: &Subject, source: &Source, seed: u32) -> String {
    let kind = if source.plain { "plain" } else { "aided" };
    format!("{}/{}/{kind}/{seed}", subject.name, source.ranked.model)
}

/// A run of a study.
pub type Run<'a> = (&'a Subject, &'a Source, u32);

/// Writes finished runs into a folder, as a file that is named after its content.
pub fn write(
    folder: &Path,
    found: &Folders<'_>,
    settings: Settings,
    runs: &[Run<'_>],
) -> Result<PathBuf, Error> {
    let (mut records, mut tensors) = (BTreeMap::new(), BTreeMap::new());
    for (subject, source, seed) in runs {
        let name = run_name(subject, source, *seed);
        let path = found.folder(subject, source, *seed);
        let Findings {
            history,
            second,
            sheets,
        } = found.run(subject, source, *seed)?;
        let second = second.ok_or_else(|| Error::File {
            path: path.clone(),
            problem: "the run's measurement with the other network was there and is no longer; run the same part again"
                .to_owned(),
        })?;
        let record = RunRecord {
            made_of: Record::read(&path.join(CHECKPOINT))?,
            history: history.iter().map(Measured::from).collect(),
            second: second.into(),
            sheets: sheets.iter().map(|s| s.measurement.iteration).collect(),
        };
        for sheet in sheets {
            let shape = vec![sheet.png.len()];
            let png = StoredTensor::new(StoredDType::U8, shape, sheet.png);
            tensors.insert(sheet_name(&name, sheet.measurement.iteration), png);
        }
        records.insert(name, record);
    }
    let record = PartRecord {
        study: StudyRecord::new(found.design, settings),
        runs: records,
    };
    part_file::save(folder, &record, &tensors)
}

fn sheet_name(run: &str, iteration: u64) -> String {
    format!("{run}/{iteration}")
}

/// Reports on the runs of all parts of a study into a folder. The report equals the one of a single process, but for
/// how long anything took.
///
/// # Errors
///
/// A part cannot be read, parts are of different studies, a run is in none of them, or the report cannot be written;
/// [`Error::Cancelled`] when the observer ends the job.
pub fn merge(parts: &[PathBuf], out: &Path, observer: &mut dyn Observer) -> Result<Outcome, Error> {
    let started = Instant::now();
    let paths = files_of(parts)?;
    observer.begin(&Phase::new("parts", paths.len()));
    let mut study: Option<(StudyRecord, &Path)> = None;
    let mut found = Parts::default();
    let mut alike = Alike::default();
    for (position, path) in paths.iter().enumerate() {
        observer.go_on()?;
        let part = PartFile::<PartRecord>::open(path)?;
        let (known, first) = study.get_or_insert_with(|| (part.record.study.clone(), path));
        if part.record.study != *known {
            return Err(malformed(
                path,
                format!(
                    "it is of another study than {} ({} are not the same); merge parts that were made alike",
                    first.display(),
                    part.record.study.differences(known)?.join(", ")
                ),
            ));
        }
        for (name, run) in &part.record.runs {
            alike.check(name, run, path)?;
            let findings = findings(&part, name, run)?;
            found.runs.entry(name.clone()).or_insert(findings);
        }
        observer.position(position as u64 + 1);
    }
    observer.end();
    let Some((study, path)) = study else {
        return Err(Error::option("merge", "", "there are no parts there"));
    };
    let design = study.design(path)?;
    let missing: Vec<String> = runs(&design)
        .map(|(subject, source, seed)| run_name(subject, source, seed))
        .filter(|name| !found.runs.contains_key(name))
        .collect();
    if let Some(first) = missing.first() {
        let problem = format!(
            "{} runs of the study are in none of them, such as {}; make the parts that are missing",
            missing.len(),
            checkpoint_file::shown(first)
        );
        return Err(Error::option("merge", "", problem));
    }
    files::make_folder(out)?;
    report::write(&design, &found, out, started.elapsed().as_secs_f64())
}

/// All runs of a study: one seed of everything before the next, so that a study that is cut short says something about
/// all targets.
pub fn runs(design: &Design) -> impl Iterator<Item = Run<'_>> {
    design.seeds.iter().flat_map(|seed| {
        let subjects = design.targets.iter();
        subjects.flat_map(move |subject| {
            let sources = subject.sources.iter();
            sources.map(move |source| (subject, source, *seed))
        })
    })
}

/// What the runs of one study have in common, with the part that said so first. Files are compared by their digests:
/// where they lie differs from machine to machine.
#[derive(Default)]
struct Alike {
    made_of: BTreeMap<String, (String, PathBuf)>,
    runs: BTreeMap<String, (RunRecord, PathBuf)>,
}

impl Alike {
    fn check(&mut self, name: &str, run: &RunRecord, path: &Path) -> Result<(), Error> {
        let mut names = name.split('/');
        let [target, model] = [names.next(), names.next()].map(Option::unwrap_or_default);
        let Record {
            source,
            images,
            reference,
            ..
        } = &run.made_of;
        for (what, digest) in [
            (
                format!("made with the images of {target}"),
                images.fingerprint.as_str(),
            ),
            (
                format!("measured against the images of {target}"),
                reference.fingerprint.as_str(),
            ),
            (format!("made from the model {model}"), source.identity()),
        ] {
            self.check_digest(checkpoint_file::shown(&what).to_string(), digest, path)?;
        }
        let (known, first) = self
            .runs
            .entry(name.to_owned())
            .or_insert_with(|| (run.clone(), path.to_owned()));
        if (&known.history, &known.second) != (&run.history, &run.second) {
            return Err(malformed(
                path,
                format!(
                    "its run {} has other distances than the one of {}; leave one of them out",
                    checkpoint_file::shown(name),
                    first.display()
                ),
            ));
        }
        Ok(())
    }

    fn check_digest(&mut self, what: String, digest: &str, path: &Path) -> Result<(), Error> {
        let first = (digest.to_owned(), path.to_owned());
        let (known, first) = self.made_of.entry(what.clone()).or_insert(first);
        match known == digest {
            true => Ok(()),
            false => Err(part_file::differs(path, first, &what, &digest, known)),
        }
    }
}

fn findings(part: &PartFile<PartRecord>, name: &str, run: &RunRecord) -> Result<Findings, Error> {
    let measured = run.history.iter().map(Measured::measurement);
    let history: Vec<Measurement> = measured.collect::<Option<_>>().unwrap_or_default();
    let distances = history.iter().flat_map(|measured| {
        let both = [
            measured.frechet_distance,
            measured.frechet_distance_training,
        ];
        both.into_iter().chain(measured.resampled.iter().copied())
    });
    let of_start = [run.second.start, run.second.best];
    let is_finite = run.history.iter().all(|measured| measured.kimg.is_finite())
        && distances.chain(of_start).all(f64::is_finite);
    if history.is_empty() || !is_finite || !run.history.is_sorted_by(|a, b| a.kimg < b.kimg) {
        return Err(malformed(
            part.path(),
            format!(
                "the distances of {} are missing, not finite or not in order",
                checkpoint_file::shown(name)
            ),
        ));
    }
    let sheet = |iteration: &u64| {
        let measurement = history.iter().find(|m| m.iteration == *iteration);
        let png = part.tensor(&sheet_name(name, *iteration));
        match (measurement, png) {
            (Some(measurement), Some(png)) if png.dtype() == StoredDType::U8 => Ok(Sheet {
                measurement: measurement.clone(),
                png: png.bytes().to_vec(),
            }),
            _ => Err(malformed(
                part.path(),
                format!(
                    "the samples of {} after iteration {iteration} are missing or no picture",
                    checkpoint_file::shown(name)
                ),
            )),
        }
    };
    Ok(Findings {
        sheets: run.sheets.iter().map(sheet).collect::<Result<_, _>>()?,
        second: Some(run.second.clone().into()),
        history,
    })
}

/// Runs of parts.
#[derive(Default)]
struct Parts {
    runs: BTreeMap<String, Findings>,
}

impl FoundRuns for Parts {
    fn run(&self, subject: &Subject, source: &Source, seed: u32) -> Result<Findings, Error> {
        let found = self.runs.get(&run_name(subject, source, seed));
        Ok(found.cloned().unwrap_or_default())
    }
}

impl StudyRecord {
    fn new(design: &Design, settings: Settings) -> Self {
        Self {
            distance: design.distance.clone(),
            second_distance: design.second_distance.clone(),
            kimg: design.kimg,
            seeds: design.seeds.clone(),
            settings,
            targets: design.targets.iter().map(SubjectRecord::from).collect(),
        }
    }

    /// Names of what is not the same in two studies.
    fn differences(&self, other: &Self) -> Result<Vec<String>, Error> {
        let [one, other] = [self, other].map(serde_json::to_value);
        let (one, other) = (one?, other?);
        let fields = one.as_object().into_iter().flatten();
        let differing = fields.filter(|(name, value)| other.get(name) != Some(*value));
        Ok(differing.map(|(name, _)| name.clone()).collect())
    }

    /// The study of a file, whose names can be those of files and folders.
    fn design(self, path: &Path) -> Result<Design, Error> {
        let names: BTreeSet<&str> = self.targets.iter().map(|target| &*target.name).collect();
        let seeds: BTreeSet<u32> = self.seeds.iter().copied().collect();
        if seeds.is_empty()
            || names.is_empty()
            || seeds.len() < self.seeds.len()
            || names.len() < self.targets.len()
            || !(self.kimg.is_finite() && self.kimg > 0.0)
        {
            return Err(malformed(
                path,
                "a study without a length, or whose seeds or targets are missing or there twice",
            ));
        }
        let targets = self.targets.into_iter();
        Ok(Design {
            distance: self.distance,
            second_distance: self.second_distance,
            kimg: self.kimg,
            seeds: self.seeds,
            targets: targets
                .map(|target| target.subject(path))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Subject> for SubjectRecord {
    fn from(subject: &Subject) -> Self {
        let places = subject.ranking.iter().map(|ranked| Place {
            model: ranked.model.clone(),
            score: ranked.score,
        });
        let sources = subject.sources.iter().map(|source| SourceRecord {
            rank: source.ranked.rank,
            plain: source.plain,
        });
        Self {
            name: subject.name.clone(),
            has_reference: subject.has_reference,
            ranking: places.collect(),
            sources: sources.collect(),
        }
    }
}

impl SubjectRecord {
    fn subject(self, path: &Path) -> Result<Subject, Error> {
        let ranking: Vec<Ranked> = (1..)
            .zip(self.ranking)
            .map(|(rank, Place { model, score })| Ranked { rank, model, score })
            .collect();
        Ranked::check_names(&ranking, path)?;
        Ranked::check_folder(&self.name, "the target", path)?;
        let source = |SourceRecord { rank, plain }| {
            let ranked = rank.checked_sub(1).and_then(|index| ranking.get(index));
            let ranked = ranked.cloned().ok_or_else(|| {
                let problem = format!("a source at rank {rank} of {} models", ranking.len());
                malformed(path, problem)
            })?;
            Ok(Source { ranked, plain })
        };
        Ok(Subject {
            sources: self
                .sources
                .into_iter()
                .map(source)
                .collect::<Result<_, Error>>()?,
            name: self.name,
            has_reference: self.has_reference,
            ranking,
        })
    }
}

impl From<&Measurement> for Measured {
    fn from(measurement: &Measurement) -> Self {
        Self {
            iteration: measurement.iteration,
            kimg: measurement.kimg,
            frechet_distance: measurement.frechet_distance,
            frechet_distance_training: measurement.frechet_distance_training,
            resampled: measurement.resampled.iter().map(f64::to_string).collect(),
        }
    }
}

impl Measured {
    /// None where a number is none.
    fn measurement(&self) -> Option<Measurement> {
        let resampled: Result<Vec<f64>, _> = self.resampled.iter().map(|d| d.parse()).collect();
        Some(Measurement {
            resampled: resampled.ok()?,
            iteration: self.iteration,
            kimg: self.kimg,
            frechet_distance: self.frechet_distance,
            frechet_distance_training: self.frechet_distance_training,
            measuring_seconds: None,
        })
    }
}

impl From<SecondDistance> for SecondRecord {
    fn from(measured: SecondDistance) -> Self {
        Self {
            distance: measured.distance,
            generator: measured.generator,
            start: measured.start,
            best: measured.best,
        }
    }
}

impl From<SecondRecord> for SecondDistance {
    fn from(record: SecondRecord) -> Self {
        Self {
            distance: record.distance,
            generator: record.generator,
            start: record.start,
            best: record.best,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use vision_aided_finetune::TrainingConfig;
    use vision_aided_finetune::vision_aided::VisionLevels;

    use super::*;

    #[test]
    fn runs_that_are_made_of_other_files_are_of_another_study() {
        let mut alike = Alike::default();
        let mut check = |what: &str, digest: &str, path: &str| {
            alike.check_digest(what.to_owned(), digest, Path::new(path))
        };
        check("measured against the images of cats", "a", "one.part").unwrap();
        check("measured against the images of cats", "a", "two.part").unwrap();
        check("measured against the images of dogs", "b", "two.part").unwrap();
        let error = check("measured against the images of cats", "b", "two.part").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("one.part") && message.contains("two.part"),
            "{message}"
        );
        assert!(message.contains("cats"), "{message}");
    }

    #[test]
    fn a_study_has_each_seed_and_target_once_and_a_length() {
        let study = |kimg: f64, seeds: &[u32], targets: &[&str]| StudyRecord {
            distance: String::new(),
            second_distance: String::new(),
            kimg,
            seeds: seeds.to_vec(),
            settings: Settings {
                training: TrainingConfig::default(),
                vision_aided: Vec::new(),
                vision_aided_input: 64,
                freeze_layers: 0,
                vision_aided_levels: VisionLevels::Published,
                protocol: String::new(),
                samples: 2,
                resamples: 0,
                snapshot_kimg: 1.0,
            },
            targets: targets
                .iter()
                .map(|name| SubjectRecord {
                    name: (*name).to_owned(),
                    has_reference: false,
                    ranking: Vec::new(),
                    sources: Vec::new(),
                })
                .collect(),
        };
        let is_read = |study: StudyRecord| study.design(Path::new("a.part")).is_ok();
        assert!(is_read(study(1.0, &[0, 1], &["cats", "dogs"])));
        for (kimg, seeds, targets) in [
            (f64::INFINITY, &[0][..], &["cats"][..]),
            (0.0, &[0], &["cats"]),
            (1.0, &[], &["cats"]),
            (1.0, &[3, 3], &["cats"]),
            (1.0, &[0], &[]),
            (1.0, &[0], &["cats", "cats"]),
        ] {
            assert!(
                !is_read(study(kimg, seeds, targets)),
                "{kimg} {seeds:?} {targets:?}"
            );
        }
    }
}
