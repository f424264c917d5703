use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{StepReport, TrainingError};

/// Means over some iterations: one line of `history.jsonl`.
///
/// JSON has no NaN and no infinity: both are written as `null`, which is read as NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Iterations so far.
    pub iteration: u64,
    /// Thousands of real images shown so far.
    pub kimg: f64,
    /// Mean of the generator's loss since the entry before.
    #[serde(deserialize_with = "number_or_nan")]
    pub generator_loss: f32,
    /// Mean of the discriminator's loss since the entry before.
    #[serde(deserialize_with = "number_or_nan")]
    pub discriminator_loss: f32,
    /// Mean logit of real images.
    #[serde(deserialize_with = "number_or_nan")]
    pub real_logit: f32,
    /// Mean logit of generated images.
    #[serde(deserialize_with = "number_or_nan")]
    pub fake_logit: f32,
    /// Mean R1 penalty of the iterations that took it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub r1_penalty: Option<f32>,
    /// Mean R2 penalty of the iterations that took it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub r2_penalty: Option<f32>,
    /// Mean of what generated images had more than real ones of small steps, where it has a weight.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub excess_variation: Option<f32>,
    /// Mean path length of the iterations that penalized it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub path_length: Option<f32>,
    /// Mean of what the generator paid to the vision-aided discriminators, where there are any.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub vision_aided_generator_loss: Option<f32>,
    /// Mean of what the heads of the vision-aided discriminators paid, where there are any.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub vision_aided_discriminator_loss: Option<f32>,
    /// Mean of what their gradient was multiplied by to keep the balance, where the options ask for one.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "measured_or_nan"
    )]
    pub vision_aided_factor: Option<f32>,
    /// Images a second since the entry before.
    #[serde(deserialize_with = "rate_or_nan")]
    pub images_per_second: f64,
}

fn number_or_nan<'de, D: Deserializer<'de>>(value: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(f32::NAN))
}

fn rate_or_nan<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(f64::NAN))
}

/// Called only where the key is there, so that `null` is a value that was measured.
fn measured_or_nan<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f32>, D::Error> {
    number_or_nan(value).map(Some)
}

/// What is read of a line first, to know whether the rest matters.
#[derive(Deserialize)]
struct Position {
    iteration: u64,
}

impl HistoryEntry {
    /// The means of the reports of some iterations that took `seconds` together.
    ///
    /// # Panics
    /// When there are no reports.
    pub fn mean_of(reports: &[StepReport], batch_size: usize, seconds: f64) -> Self {
        let last = reports.last().expect("a mean of at least one report");
        let mean = |value: fn(&StepReport) -> Option<f32>| {
            let values: Vec<f32> = reports.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
        };
        let always = |value: fn(&StepReport) -> Option<f32>| mean(value).unwrap_or(f32::NAN);
        Self {
            iteration: last.iteration,
            kimg: last.images as f64 / 1000.0,
            generator_loss: always(|r| Some(r.generator_loss)),
            discriminator_loss: always(|r| Some(r.discriminator_loss)),
            real_logit: always(|r| Some(r.real_logit)),
            fake_logit: always(|r| Some(r.fake_logit)),
            r1_penalty: mean(|r| r.r1_penalty),
            r2_penalty: mean(|r| r.r2_penalty),
            excess_variation: mean(|r| r.excess_variation),
            path_length: mean(|r| r.path_length),
            vision_aided_generator_loss: mean(|r| r.vision_aided_generator_loss),
            vision_aided_discriminator_loss: mean(|r| r.vision_aided_discriminator_loss),
            vision_aided_factor: mean(|r| r.vision_aided_factor),
            images_per_second: (reports.len() * batch_size) as f64 / seconds,
        }
    }
}

/// What a run measured on its way: a file of one JSON object a line, one an entry, each with the number of iterations
/// as `iteration`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use vision_aided_finetune::Log;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Distance {
///     iteration: u64,
///     value: f64,
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("distances.jsonl");
/// let mut log: Log<Distance> = Log::open(&path, 0)?;
/// log.push(Distance { iteration: 10, value: 2.5 })?;
/// log.push(Distance { iteration: 20, value: 1.5 })?;
/// drop(log);
/// // A run that goes on from its checkpoint of iteration 10 measures anew what came later.
/// let log: Log<Distance> = Log::open(&path, 10)?;
/// assert_eq!(log.entries(), [Distance { iteration: 10, value: 2.5 }]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Log<Entry> {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

/// Longest file that is read: a line has some 300 bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The means of a run's reports.
pub type History = Log<HistoryEntry>;

impl<Entry: Serialize + DeserializeOwned> Log<Entry> {
    /// Opens a file to add to, or starts one; entries after `iterations` are dropped, as a resumed run writes them
    /// anew.
    ///
    /// # Errors
    /// When the file cannot be read or written, a line says no iteration, or one up to `iterations` is not an entry. An
    /// unfinished last line, which a killed run may leave, is dropped.
    pub fn open(path: impl AsRef<Path>, iterations: u64) -> Result<Self, TrainingError> {
        let path = path.as_ref().to_owned();
        let io = |source| TrainingError::Io {
            path: path.clone(),
            source,
        };
        let text = match whole_file::read_to_string(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(io(e)),
        };
        let (mut entries, mut kept) = (Vec::new(), String::new());
        for (index, line) in text.split_inclusive('\n').enumerate() {
            if !line.ends_with('\n') {
                break;
            }
            let unreadable = |e: serde_json::Error| TrainingError::History {
                path: path.clone(),
                line: index + 1,
                reason: e.to_string(),
            };
            let position: Position = serde_json::from_str(line).map_err(unreadable)?;
            if position.iteration <= iterations {
                entries.push(serde_json::from_str(line).map_err(unreadable)?);
                kept.push_str(line);
            }
        }
        whole_file::write(&path, kept).map_err(io)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(io)?;
        Ok(Self {
            path,
            file,
            entries,
        })
    }

    /// Adds an entry and writes its line.
    ///
    /// # Errors
    /// When the entry has no JSON form, or the file cannot be written.
    pub fn push(&mut self, entry: Entry) -> Result<(), TrainingError> {
        let mut line = serde_json::to_string(&entry).map_err(|e| TrainingError::History {
            path: self.path.clone(),
            line: self.entries.len() + 1,
            reason: e.to_string(),
        })?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .map_err(|source| TrainingError::Io {
                path: self.path.clone(),
                source,
            })?;
        self.entries.push(entry);
        Ok(())
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn report(iteration: u64) -> StepReport {
        StepReport {
            iteration,
            images: iteration * 16,
            generator_loss: iteration as f32,
            discriminator_loss: 1.0,
            real_logit: 0.5,
            fake_logit: -0.5,
            r1_penalty: (iteration.is_multiple_of(2)).then_some(iteration as f32),
            r2_penalty: None,
            excess_variation: None,
            path_length: None,
            vision_aided_generator_loss: None,
            vision_aided_discriminator_loss: None,
            vision_aided_factor: None,
        }
    }

    fn entry(iteration: u64) -> HistoryEntry {
        HistoryEntry::mean_of(&[report(iteration)], 16, 1.0)
    }

    #[test]
    fn an_entry_is_the_mean_of_the_reports_that_have_the_value() {
        let entry = HistoryEntry::mean_of(&[report(1), report(2), report(3), report(4)], 16, 2.0);
        assert_eq!(entry.generator_loss, 2.5);
        assert_eq!(entry.r1_penalty, Some(3.0));
        assert_eq!(entry.path_length, None);
        assert_eq!(entry.images_per_second, 32.0);
        assert_eq!(entry.kimg, 0.064);
    }

    #[test]
    fn a_resumed_history_drops_what_came_after_the_checkpoint_and_an_unfinished_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut history = History::open(&path, 0).unwrap();
        for iteration in [10, 20, 30] {
            history.push(entry(iteration)).unwrap();
        }
        drop(history);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"iteration\": 4");
        std::fs::write(&path, text).unwrap();

        let mut history = History::open(&path, 20).unwrap();
        assert_eq!(history.entries(), [entry(10), entry(20)]);
        history.push(entry(40)).unwrap();
        drop(history);
        let again = History::open(&path, u64::MAX).unwrap();
        assert_eq!(again.entries(), [entry(10), entry(20), entry(40)]);
    }

    /// A loss that is NaN or infinite, on either side of the checkpoint, does not keep a run from being resumed.
    #[test]
    fn losses_that_are_no_numbers_are_read_as_nan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut history = History::open(&path, 0).unwrap();
        let mut broken = entry(10);
        broken.generator_loss = f32::NAN;
        broken.fake_logit = f32::NEG_INFINITY;
        broken.r1_penalty = Some(f32::NAN);
        broken.images_per_second = f64::INFINITY;
        history.push(broken.clone()).unwrap();
        history.push(entry(20)).unwrap();
        broken.iteration = 30;
        history.push(broken).unwrap();
        drop(history);
        for (iterations, count) in [(20, 2), (30, 3)] {
            std::fs::copy(&path, folder.path().join("copy.jsonl")).unwrap();
            let history = History::open(folder.path().join("copy.jsonl"), iterations).unwrap();
            assert_eq!(history.entries().len(), count);
            let first = &history.entries()[0];
            assert!(first.generator_loss.is_nan() && first.fake_logit.is_nan());
            assert!(first.r1_penalty.is_some_and(f32::is_nan));
            assert!(first.images_per_second.is_nan());
            assert_eq!(first.discriminator_loss, 1.0);
            assert_eq!(first.path_length, None);
            assert_eq!(history.entries()[1], entry(20));
        }
    }

    #[test]
    fn what_came_after_the_checkpoint_need_not_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        std::fs::write(&path, "{\"iteration\": 30, \"kimg\": \"many\"}\n").unwrap();
        assert!(History::open(&path, 30).is_err());
        assert!(History::open(&path, 29).unwrap().entries().is_empty());
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        std::fs::write(&path, "{\"kimg\": 1}\n").unwrap();
        let message = History::open(&path, 0).unwrap_err().to_string();
        assert!(
            message.contains("line 1") && message.contains("iteration"),
            "{message}"
        );
    }
}
