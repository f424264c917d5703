//! Files that say which images have an attribute, or how much of it seeds have.

use std::path::{Path, PathBuf};

use examples::Failure;

#[derive(Clone, Debug, PartialEq)]
pub enum AttributeFile {
    /// Images with and without the attribute, also folders and archives of them.
    Images {
        with: Vec<PathBuf>,
        without: Vec<PathBuf>,
    },
    /// Scores of seeds' images.
    Scores(Vec<(u32, f64)>),
}

impl AttributeFile {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = ganymede::files::read_text(path).map_err(|e| format!("--attribute {e}"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder)
            .map_err(|reason| format!("--attribute {}: {reason}", path.display()).into())
    }

    /// `folder` is what paths in the text are relative to. Empty lines and those that start with `#` say nothing.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let (mut with, mut without, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let path = |rest: &str| folder.join(rest.trim());
            if let Some(image) = line.strip_prefix("+ ") {
                with.push(path(image));
            } else if let Some(image) = line.strip_prefix("- ") {
                without.push(path(image));
            } else {
                scores.push(score(line).ok_or_else(|| {
                    format!(
                        "line {}: {line:?} is neither `+ image`, `- image` nor `SEED SCORE`",
                        index + 1
                    )
                })?);
            }
        }
        match (with.is_empty() && without.is_empty(), scores.is_empty()) {
            (true, false) => Ok(Self::Scores(scores)),
            (false, true) if !with.is_empty() && !without.is_empty() => {
                Ok(Self::Images { with, without })
            }
            (false, true) => Err(format!(
                "{} images with the attribute and {} without; expected some of both",
                with.len(),
                without.len()
            )),
            (false, false) => {
                Err("images and scores in one file; expected either of them".to_owned())
            }
            (true, true) => Err("it names nothing".to_owned()),
        }
    }
}

fn score(line: &str) -> Option<(u32, f64)> {
    let (seed, score) = line.split_once(char::is_whitespace)?;
    let score: f64 = score.trim().parse().ok()?;
    Some((seed.parse().ok()?, score.is_finite().then_some(score)?))
}
