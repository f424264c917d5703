#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use backbones::PublishedWeights;

use crate::Error;
use crate::images::files_in;

/// The folder with models, feature networks and query images.
///
/// ```text
/// zoo/NAME/generator.safetensors   generators, a folder each (`model_zoo` has the rest of it)
/// zoo/index.ganymede               the statistics of their features
/// features/                        feature networks and the heads of LPIPS
/// queries/KIND/                    query images
/// few_shot/TARGET/                 sets of few images
/// studies/                         images of the inversion study
/// ```
#[derive(Clone, Debug)]
pub struct Weights {
    root: PathBuf,
}

impl Weights {
    /// `chosen`, or the folder that the environment variable `GANYMEDE_WEIGHTS` names.
    ///
    /// Where neither is given, the first that there is: `weights` in the current folder or in one above it, `weights`
    /// in a folder above the program (so that the repository's programs find the repository's), and `ganymede` in the
    /// user's data folder ([`dirs::data_dir`]).
    ///
    /// # Errors
    ///
    /// There is no such folder; the error names the places.
    pub fn open(chosen: Option<&Path>) -> Result<Self, Error> {
        let named = chosen
            .map(Path::to_owned)
            .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let root = match named {
            Some(root) => root,
            None => {
                let here = std::env::current_dir().ok();
                let program = std::env::current_exe().ok();
                found_in(&[here, program], dirs::data_dir())?
            }
        };
        // Without the way back in it, paths in messages are easier to read.
        match whole_file::canonical(&root) {
            Ok(root) => Ok(Self { root }),
            Err(source) => Err(Error::NoWeights { path: root, source }),
        }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Feature networks and LPIPS heads.
    pub fn features(&self) -> PathBuf {
        self.root.join(FEATURES)
    }

    /// A file of [`features`](Self::features), under any of the names that it is published with.
    ///
    /// # Errors
    ///
    /// It is not there; the error says under which names it was looked for, and who publishes it.
    pub fn feature_file(&self, published: &PublishedWeights) -> Result<PathBuf, Error> {
        let folder = self.features();
        published.find(&folder).ok_or_else(|| Error::File {
            path: folder,
            problem: format!(
                "missing: one of {}; put it there or name another folder of weights (an argument, or the environment variable {VARIABLE}); {}",
                published.names.join(", "),
                published.publisher
            ),
        })
    }

    /// Generators, a folder each.
    pub fn zoo(&self) -> PathBuf {
        self.root.join(ZOO)
    }

    /// The statistics of the generators' features.
    pub fn index(&self) -> PathBuf {
        self.zoo().join(INDEX)
    }

    /// Query images, a folder for each kind.
    pub fn queries(&self) -> PathBuf {
        self.root.join("queries")
    }

    /// The images of a few-shot target.
    pub fn few_shot(&self, target: &str) -> PathBuf {
        self.few_shot_targets().join(target)
    }

    /// Few-shot targets, a folder each.
    pub fn few_shot_targets(&self) -> PathBuf {
        self.root.join("few_shot")
    }

    /// All images of a few-shot target that were drawn, where they were.
    pub fn few_shot_reference(&self, target: &str) -> PathBuf {
        self.zoo()
            .join(format!("data/{target}.few_shot_all.safetensors"))
    }

    /// Pictures of fifty query images below each other, one for each kind.
    pub fn studies(&self) -> PathBuf {
        self.root.join("studies")
    }

    /// Names of the zoo's models, sorted. The base model is none of them: it is what they were trained from.
    pub fn model_names(&self) -> Vec<String> {
        let folders = files_in(&self.zoo()).into_iter();
        folders
            .filter(|folder| whole_file::is_file(folder.join(GENERATOR)))
            .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
            .filter(|name| name != BASE)
            .collect()
    }

    /// The file of a model of the zoo.
    pub fn generator(&self, name: &str) -> PathBuf {
        self.zoo().join(name).join(GENERATOR)
    }
}

/// `weights` in a folder of these or above it, or the one in the user's data folder.
fn found_in(starts: &[Option<PathBuf>], data: Option<PathBuf>) -> Result<PathBuf, Error> {
    let above = starts.iter().flatten().flat_map(|start| start.ancestors());
    let mut places = above.map(|folder| folder.join(FOLDER)).collect::<Vec<_>>();
    let data = data.map(|data| data.join(DATA_FOLDER));
    places.extend(data.clone());
    // Other projects have folders of this name too.
    let of_ours = |place: &&PathBuf| place.join(FEATURES).is_dir() || place.join(ZOO).is_dir();
    places
        .iter()
        .find(of_ours)
        .cloned()
        .ok_or_else(|| Error::NoWeightsFound {
            data: data.unwrap_or_else(|| PathBuf::from(DATA_FOLDER)),
        })
}

/// The model of all styles, which those of single styles start from.
pub const BASE: &str = "base";

/// Names a weights folder for all programs.
const VARIABLE: &str = "GANYMEDE_WEIGHTS";
const FOLDER: &str = "weights";
/// Of this project in the user's data folder.
const DATA_FOLDER: &str = "ganymede";
const FEATURES: &str = "features";
const ZOO: &str = "zoo";
const INDEX: &str = "index.ganymede";
const GENERATOR: &str = "generator.safetensors";
