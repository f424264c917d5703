use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use image_tensor::can_be_shown;
use model_zoo::ZooModel;
use ndarray::Array1;
use stylegan2::Generator;

use crate::{Error, Weights};

/// The model of the zoo that jobs take where none is named.
pub const DEFAULT_MODEL: &str = "funEmoji";

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
    /// Loads a model of an opened folder of models.
    ///
    /// # Errors
    ///
    /// Its file does not hold a generator of gray, RGB or RGBA images.
    pub fn of_zoo(model: &ZooModel, device: &Device) -> Result<Self, Error> {
        let generator = model.load_generator(device)?;
        Self::new(model.name().to_owned(), model.generator_path(), generator)
    }

    /// Loads a checkpoint file of any format that [`checkpoint_file`] reads, under a name.
    ///
    /// # Errors
    ///
    /// It does not hold a generator of gray, RGB or RGBA images.
    pub fn open(name: String, path: PathBuf, device: &Device) -> Result<Self, Error> {
        let generator = Generator::load(&path, device)?;
        Self::new(name, path, generator)
    }

    fn new(name: String, path: PathBuf, generator: Generator) -> Result<Self, Error> {
        let channels = generator.synthesis.img_channels();
        if !can_be_shown(channels) {
            return Err(Error::File {
                path,
                problem: format!(
                    "this generator makes images of {channels} channels; only gray (1), RGB (3) and RGB with opacity (4) can be shown"
                ),
            });
        }
        Ok(Self {
            name,
            path,
            generator,
        })
    }

    /// Bytes of its weights in memory.
    pub fn size_in_bytes(&self) -> u64 {
        (self.generator.num_params() * size_of::<f32>()) as u64
    }

    /// Image side in pixels.
    pub fn resolution(&self) -> u32 {
        self.generator.synthesis.img_resolution() as u32
    }

    /// Whether latents of the model can be truncated with `psi`, which is an option called `truncation_psi`.
    ///
    /// # Errors
    ///
    /// It is no number, or the model has no mean latent to truncate towards.
    pub fn check_truncation(&self, psi: f32) -> Result<(), Error> {
        let refused = |problem: String| Err(Error::option("truncation_psi", psi, problem));
        if !psi.is_finite() {
            return refused("not a number that latents can be scaled by".to_owned());
        }
        if psi != 1.0 && !self.generator.mapping.tracks_w_avg() {
            return refused(format!(
                "{} has no mean latent to truncate towards; use 1",
                self.name
            ));
        }
        Ok(())
    }

    /// The mean latent `[w_dim]`, about which the option `interpolation` with this value turns.
    ///
    /// # Errors
    ///
    /// The model has none.
    pub(crate) fn mean_latent(&self, interpolation: &str) -> Result<Array1<f32>, Error> {
        match self.generator.mapping.w_avg() {
            Some(w_avg) => Ok(w_avg.into_data().iter::<f32>().collect()),
            None => Err(Error::option(
                "interpolation",
                interpolation,
                format!("{} has no mean latent to turn about; use linear", self.name),
            )),
        }
    }

    /// The file of its named edits, which need not be there.
    pub fn edits_file(&self) -> PathBuf {
        self.path.with_file_name("edits.toml")
    }
}

/// Name and file of a model. The weights folder is only needed for a name.
pub(crate) fn find(
    which: &str,
    weights: Result<Weights, Error>,
) -> Result<(String, PathBuf), Error> {
    if let Ok(weights) = &weights
        && weights.model_names().iter().any(|name| name == which)
    {
        return Ok((which.to_owned(), weights.generator(which)));
    }
    let path = Path::new(which);
    if whole_file::is_file(path) {
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
    Err(Error::option(
        "model",
        which,
        format!("neither a model of the zoo nor a file; {known}"),
    ))
}
