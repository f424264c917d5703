use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::protocol::Protocol;

/// Which sets, by which features, and what else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// Real images, or their statistics [default: the query images of the model's kind]
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATH"))]
    pub real: Option<PathBuf>,
    /// Generated images, or their statistics
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "PATH", conflicts_with = "model")
    )]
    pub fake: Option<PathBuf>,
    /// Generate the images with a model of the zoo, or a generator file [default without --fake: funEmoji]
    #[cfg_attr(feature = "clap", arg(long))]
    pub model: Option<String>,
    /// Number of images to generate, from the seeds --seed, --seed + 1, ...
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().samples, value_parser = clap::value_parser!(u32).range(2..)))]
    pub samples: u32,
    /// Truncation of the generated images; distances are usually reported without
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().truncation_psi))]
    pub truncation_psi: f32,
    /// Class of a conditional model's images, counted from 0 [default: drawn uniformly]
    #[cfg_attr(feature = "clap", arg(long))]
    pub class: Option<usize>,
    /// What features are compared and how images become the network's input
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub protocol: Protocol,
    /// The network's weights (.safetensors, .pth or .pt) [default: the network's file in features/ of the weights
    /// folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features: Option<PathBuf>,
    /// Leave out images that cannot be read, and count them
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Count images of another size than the set's first as bad
    #[cfg_attr(feature = "clap", arg(long))]
    pub same_size: bool,
    /// Images that pass the network at once
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().batch, value_parser = clap::value_parser!(u16).range(1..)))]
    pub batch: u16,
    /// Average the KID over this many random subsets instead of taking all images at once
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "SUBSETS", default_value_t = 0)
    )]
    pub kid_subsets: usize,
    /// Images of such a subset
    #[cfg_attr(feature = "clap", arg(long, value_name = "IMAGES", default_value_t = Options::default().kid_subset_size))]
    pub kid_subset_size: usize,
    /// Also follow the Fréchet distance to infinitely many generated images (FID-infinity)
    #[cfg_attr(feature = "clap", arg(long))]
    pub infinity: bool,
    /// Also measure the mean LPIPS distance of this many pairs of each set's first images
    #[cfg_attr(feature = "clap", arg(long, value_name = "PAIRS", default_value_t = 0))]
    pub diversity: usize,
    /// Also measure the model's perceptual path length in W on this many paths
    #[cfg_attr(feature = "clap", arg(long, value_name = "PATHS", default_value_t = 0))]
    pub path_length: u32,
    /// Also write the statistics of both sets, as .npz for other tools and as .safetensors that can be merged
    #[cfg_attr(feature = "clap", arg(long))]
    pub save_statistics: bool,
    /// The first seed of generated images, and that of all else that is drawn
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for statistics and a grid of generated images. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            real: None,
            fake: None,
            model: None,
            samples: 500,
            truncation_psi: 1.0,
            class: None,
            protocol: Protocol::default(),
            features: None,
            skip_bad: false,
            same_size: false,
            batch: 16,
            kid_subsets: 0,
            kid_subset_size: 1000,
            infinity: false,
            diversity: 0,
            path_length: 0,
            save_statistics: false,
            seed: 0,
            out: None,
        }
    }
}

impl Options {
    /// Whether the values make sense together.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] names the first that does not.
    pub fn validate(&self) -> Result<(), Error> {
        if self.samples < 2 {
            return Err(Error::option(
                "samples",
                self.samples,
                "expected at least 2",
            ));
        }
        if self.batch == 0 {
            return Err(Error::option("batch", self.batch, "expected at least 1"));
        }
        let Some(fake) = &self.fake else {
            return Ok(());
        };
        if self.model.is_some() {
            return Err(Error::option(
                "fake",
                fake.display(),
                "images are those of a path or of a model; leave out one of them",
            ));
        }
        if self.path_length > 0 {
            return Err(Error::option(
                "path_length",
                "",
                "it is measured on a model; name one",
            ));
        }
        if self.real.is_none() {
            return Err(Error::option(
                "fake",
                "",
                "name the real images to compare with",
            ));
        }
        Ok(())
    }
}
