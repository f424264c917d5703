//! A generator by its name in the zoo or its file.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use model_zoo::ZooModel;
use stylegan2::Generator;

use crate::Failure;
use crate::weights::Weights;

/// A loaded generator and what to call it.
pub struct Model {
    /// Its name in the zoo, or its file's without extension.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The network.
    pub generator: Generator,
}

impl Model {
    /// Loads `which`: a name of the zoo, or a checkpoint file of any format that the `checkpoint` crate reads.
    ///
    /// The weights folder (see [`Weights::open`]) is only needed for a name.
    pub fn load(which: &str, weights: Option<&Path>, device: &Device) -> Result<Self, Failure> {
        let (name, path) = find(which, weights)?;
        let generator = Generator::load(&path, device)?;
        Self::new(name, path, generator)
    }

    /// Loads a model of an opened folder of models.
    pub fn of_zoo(model: &ZooModel, device: &Device) -> Result<Self, Failure> {
        let generator = model.load_generator(device)?;
        Self::new(model.name().to_owned(), model.generator_path(), generator)
    }

    fn new(name: String, path: PathBuf, generator: Generator) -> Result<Self, Failure> {
        let channels = generator.synthesis.img_channels();
        if channels != 1 && channels != 3 {
            return Err(format!(
                "{}: this generator makes images of {channels} channels; only grey (1) and RGB (3) can be shown",
                path.display()
            )
            .into());
        }
        Ok(Self {
            name,
            path,
            generator,
        })
    }

    /// Image side in pixels.
    pub fn resolution(&self) -> u32 {
        self.generator.synthesis.img_resolution() as u32
    }

    /// The file of its named edits, which need not be there.
    pub fn edits_file(&self) -> PathBuf {
        self.path.with_file_name("edits.toml")
    }
}

/// Name and file of a model.
pub fn find(which: &str, weights: Option<&Path>) -> Result<(String, PathBuf), Failure> {
    let weights = Weights::open(weights);
    if let Ok(weights) = &weights
        && weights.model_names().iter().any(|name| name == which)
    {
        return Ok((which.to_owned(), weights.generator(which)));
    }
    let path = Path::new(which);
    if path.is_file() {
        let name = path.file_stem().unwrap_or(path.as_os_str());
        return Ok((name.to_string_lossy().into_owned(), path.to_owned()));
    }
    let weights = weights?;
    let known = weights.model_names();
    let known = if known.is_empty() {
        format!("the zoo {} has none", weights.zoo().display())
    } else {
        format!("known names: {}", known.join(", "))
    };
    Err(format!("--model {which}: neither a model of the zoo nor a file; {known}").into())
}
