//! What was found of a study's runs, in their folders or in parts.

use std::path::PathBuf;

use image_tensor::{DecodeLimits, RgbImage, decode_bytes};

use super::design::{Design, Subject};
use super::plan::Source;
use super::second::SecondDistance;
use crate::transfer::distance::{Measurement, distances_file};
use crate::transfer::sheet;
use crate::{Error, files};

/// Pictures of a source in the sheet of samples.
const TIMES: usize = 6;

/// Longest picture that is read.
const MAX_PICTURE_BYTES: u64 = 1 << 30;

/// What was found of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// As far as its budget goes.
    pub history: Vec<Measurement>,
    /// Once it has its length.
    pub second: Option<SecondDistance>,
    /// Samples after some of the measurements, as PNG.
    pub sheets: Vec<Sheet>,
}

/// Samples of fixed latents after a measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    pub measurement: Measurement,
    pub png: Vec<u8>,
}

impl Sheet {
    /// The picture.
    pub fn picture(&self) -> Result<RgbImage, Error> {
        Ok(decode_bytes(
            "samples",
            &self.png,
            &DecodeLimits::default(),
        )?)
    }
}

/// Where the runs of a study are looked up.
pub trait FoundRuns {
    /// A run as far as it is there.
    fn run(&self, subject: &Subject, source: &Source, seed: u32) -> Result<Findings, Error>;
}

/// Runs in the folder of their study.
pub struct Folders<'a> {
    pub design: &'a Design,
    pub out: PathBuf,
}

impl Folders<'_> {
    pub fn folder(&self, subject: &Subject, source: &Source, seed: u32) -> PathBuf {
        source.folder(&self.out.join(&subject.name), seed)
    }
}

impl FoundRuns for Folders<'_> {
    fn run(&self, subject: &Subject, source: &Source, seed: u32) -> Result<Findings, Error> {
        let folder = self.folder(subject, source, seed);
        let history = self.history(&folder)?;
        let mut sheets = Vec::new();
        if self.design.seeds.first() == Some(&seed) {
            for measurement in spread(&history, TIMES) {
                let file = sheet::file(&folder, measurement.iteration);
                if file.is_file() {
                    let png = whole_file::read(&file, MAX_PICTURE_BYTES);
                    sheets.push(Sheet {
                        measurement: measurement.clone(),
                        png: png.map_err(Error::io(&file, "cannot be read"))?,
                    });
                }
            }
        }
        Ok(Findings {
            history,
            second: SecondDistance::read(&folder)?,
            sheets,
        })
    }
}

impl Folders<'_> {
    /// The measurements of a run, as far as its budget goes; another process may be adding to them.
    fn history(&self, folder: &std::path::Path) -> Result<Vec<Measurement>, Error> {
        let path = distances_file(folder);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = files::read_text(&path)?;
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let all: Vec<Measurement> = lines
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|e| Error::File {
                path,
                problem: format!("not a run's measurements ({e})"),
            })?;
        // The last batch may go beyond the budget, as runs end with whole batches.
        let kimg = self.design.kimg;
        let budget = all.iter().position(|m| m.kimg >= kimg).unwrap_or(all.len());
        Ok(all.into_iter().take(budget + 1).collect())
    }
}

/// Up to `count` of the values, the first and the last among them.
fn spread<T>(values: &[T], count: usize) -> Vec<&T> {
    if values.len() <= count {
        return values.iter().collect();
    }
    let last = values.len() - 1;
    (0..count)
        .map(|index| &values[index * last / (count - 1)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn the_first_and_the_last_are_shown() {
        let values: Vec<usize> = (0..11).collect();
        assert_eq!(spread(&values, 6), [&0, &2, &4, &6, &8, &10]);
        assert_eq!(spread(&values[..3], 6), [&0, &1, &2]);
    }
}
