//! The models that can be asked for: those of the zoo, of the user's folder, and those that were dropped on the page.
//!
//! A request names a model by its id, which is looked for in a list. No path is ever made of what a request says.

use std::path::{Path, PathBuf};

use ganymede::model_zoo::{Card, ZooModel};
use ganymede::regressed_start::is_kept_file;
use ganymede::{Error, Weights};
use serde::Serialize;

use crate::Failure;

/// Endings of checkpoints.
pub const ENDINGS: [&str; 4] = ["pkl", "pt", "pth", "safetensors"];

/// Where a model is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `NAME`
    Zoo,
    /// `own:FILE`
    Own,
    /// `dropped:FILE`
    Dropped,
}

impl Origin {
    fn prefix(self) -> &'static str {
        match self {
            Self::Zoo => "",
            Self::Own => "own:",
            Self::Dropped => "dropped:",
        }
    }
}

/// A model that can be asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub id: String,
    pub name: String,
    pub origin: Origin,
    /// What its card says, where it has one.
    pub card: Option<Card>,
    /// Why it has none, where there is a file that is none.
    pub problem: Option<String>,
    #[serde(skip)]
    file: PathBuf,
}

impl Entry {
    fn new(origin: Origin, name: String, file: PathBuf) -> Self {
        Self {
            id: format!("{}{name}", origin.prefix()),
            name,
            origin,
            card: None,
            problem: None,
            file,
        }
    }

    /// As jobs name it.
    pub fn which(&self) -> String {
        match self.origin {
            Origin::Zoo => self.name.clone(),
            Origin::Own | Origin::Dropped => self.file.display().to_string(),
        }
    }

    /// The picture of samples beside it.
    pub fn samples(&self) -> Option<PathBuf> {
        let beside = self.file.with_file_name("samples.png");
        (self.origin != Origin::Dropped && whole_file::is_file(&beside)).then_some(beside)
    }

    fn read_card(&mut self) {
        let folder = self.file.parent();
        let Some(folder) = folder.filter(|folder| whole_file::is_file(folder.join("card.toml")))
        else {
            return;
        };
        match ZooModel::open(folder.to_owned(), &self.name) {
            Ok(model) => self.card = Some(model.card().clone()),
            Err(error) => self.problem = Some(error.to_string()),
        }
    }
}

pub struct Shelf {
    own: Option<PathBuf>,
    dropped: PathBuf,
}

impl Shelf {
    pub fn new(own: Option<PathBuf>, dropped: PathBuf) -> Self {
        Self { own, dropped }
    }

    /// All models with their cards.
    pub fn list(&self, weights: &Weights) -> Vec<Entry> {
        let mut entries = self.entries(weights);
        entries.iter_mut().for_each(Entry::read_card);
        entries
    }

    /// The model of an id.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn find(&self, id: &str, weights: Result<Weights, Error>) -> Result<Entry, Failure> {
        let entries = self.entries(&weights?);
        let found = entries.into_iter().find(|entry| entry.id == id);
        found.ok_or_else(|| Failure::not_found("there is no model of this id here"))
    }

    fn entries(&self, weights: &Weights) -> Vec<Entry> {
        let names = weights.model_names().into_iter();
        let mut entries: Vec<Entry> = names
            .map(|name| {
                let file = weights.generator(&name);
                Entry::new(Origin::Zoo, name, file)
            })
            .collect();
        for (origin, folder) in [
            (Origin::Own, self.own.as_deref()),
            (Origin::Dropped, Some(&*self.dropped)),
        ] {
            let files = folder.map(checkpoints).unwrap_or_default().into_iter();
            entries.extend(files.map(|(name, file)| Entry::new(origin, name, file)));
        }
        entries
    }
}

/// Checkpoints in a folder, and folders in it with a model of a zoo; with their names, sorted. Names that are no text
/// are passed over.
fn checkpoints(folder: &Path) -> Vec<(String, PathBuf)> {
    let inside = ganymede::images::files_in(folder);
    let found = inside.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        if whole_file::is_folder(&path) {
            let file = path.join("generator.safetensors");
            return whole_file::is_file(&file).then_some((name, file));
        }
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        let is_model = whole_file::is_file(&path) && !is_kept_file(&path);
        (is_model && ENDINGS.contains(&&*ending)).then_some((name, path))
    });
    found.collect()
}
