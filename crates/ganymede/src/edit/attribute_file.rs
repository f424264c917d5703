//! Files that say which images have an attribute, or how much of it seeds have.

use std::path::{Path, PathBuf};

use crate::{Error, files};

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
    pub fn read(path: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::option("attribute", path.display(), reason);
        let text = files::read_text(path).map_err(|error| match error {
            Error::Io { action, source, .. } => refused(format!("{action} ({source})")),
            other => other,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(refused)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use super::*;

    #[test]
    fn attribute_files_name_images_or_scores() {
        let parse = |text: &str| AttributeFile::parse(text, Path::new("folder"));
        let images = "# smiles\n+ a b.png\n\n - c.png\n+ /d.png\n";
        assert_eq!(
            parse(images).unwrap(),
            AttributeFile::Images {
                with: vec![PathBuf::from("folder/a b.png"), PathBuf::from("/d.png")],
                without: vec![PathBuf::from("folder/c.png")],
            }
        );
        assert_eq!(
            parse("3 0.5\n17\t-2e-1").unwrap(),
            AttributeFile::Scores(vec![(3, 0.5), (17, -0.2)])
        );
        for (wrong, reason) in [
            ("", "nothing"),
            ("+ a.png", "0 without"),
            ("+ a.png\n- b.png\n3 0.5", "in one file"),
            ("3 0.5\nthree 4", "line 2"),
            ("3 nan", "line 1"),
            ("3", "line 1"),
            ("+a.png", "line 1"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(reason), "{wrong:?}: {error}");
        }
    }
}
