use std::path::PathBuf;

use backbones::BackbonesError;
use checkpoint_file::CheckpointError;
use feature_stats::StatsError;
use ganspace::GanspaceError;
use image_source::ImageSourceError;
use image_tensor::ImageTensorError;
use inversion::InversionError;
use lpips::LpipsError;
use metrics_fid::MetricsError;
use model_zoo::ZooError;
use retrieval_gaussian::RetrievalError;
use stylegan2::StyleGan2Error;
use vision_aided_finetune::TrainingError;

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The observer ended the job before there was anything to give.
    #[error("interrupted before there was a result")]
    Cancelled,
    /// An option has a value that cannot be used.
    #[error("{option}{}{found}: {problem}", if .found.is_empty() { "" } else { " " })]
    Option {
        /// Its field in the job's `Options`.
        option: &'static str,
        /// Its value; empty where it was left out.
        found: String,
        /// What was expected, and what to do.
        problem: String,
    },
    /// There is no folder of weights.
    #[error(
        "{path}: no weights folder there ({source}); name the folder that has features/ and zoo/"
    )]
    NoWeights {
        /// Where it was looked for.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// No folder of weights was named, and there is none where they are looked for.
    #[error(
        "no folder of weights was found: name it as an argument, name it in the environment variable GANYMEDE_WEIGHTS, make it {data}, or start in a folder that has weights/; it has features/ and zoo/, and docs/weights.md in the repository says who publishes what is in it"
    )]
    NoWeightsFound {
        /// The place in the user's data folder.
        data: PathBuf,
    },
    /// There is no such device, or no support for it was compiled in.
    #[error("{0}")]
    Device(String),
    /// A file cannot be read or written.
    #[error("{path}: {action} ({source})")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What cannot be done, such as `cannot be read`.
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A folder of models cannot be searched.
    #[error("{source}; build the index of {zoo}")]
    NoIndex {
        /// The folder.
        zoo: PathBuf,
        /// Why it has no index.
        source: Box<ZooError>,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, and what to do.
        problem: String,
    },
    /// Another process trains in the folder.
    #[error("another run uses the folder {folder}; wait for its end, or choose another")]
    RunInUse {
        /// The folder of a run.
        folder: PathBuf,
    },
    /// A new run was to begin in the folder of another.
    #[error("{folder} holds a run already; resume it, or choose another folder")]
    RunExists {
        /// The folder of a run.
        folder: PathBuf,
    },
    /// A run was to go on otherwise than it was started.
    #[error("the run in {folder} {difference}, or choose another folder")]
    RunDiffers {
        /// The folder of the run.
        folder: PathBuf,
        /// What it was started with, what is asked for now, and what to do.
        difference: String,
    },
    /// A model cannot be used for this.
    #[error("{model}: {problem}")]
    Model {
        /// Its name or file.
        model: String,
        /// What was found, what was expected, and what to do.
        problem: String,
    },
    /// The program ffmpeg is there and does not write a film.
    #[error("{0}; leave the film out (no_mp4)")]
    Ffmpeg(String),
    /// Curves cannot be drawn.
    #[error("the curves cannot be drawn ({0})")]
    Plot(String),
    /// A feature network.
    #[error(transparent)]
    Backbones(#[from] BackbonesError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Statistics of features.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// Directions and paths.
    #[error(transparent)]
    Ganspace(#[from] GanspaceError),
    /// A set of images.
    #[error(transparent)]
    Images(#[from] ImageSourceError),
    /// A picture.
    #[error(transparent)]
    Image(#[from] ImageTensorError),
    /// An inversion.
    #[error(transparent)]
    Inversion(#[from] InversionError),
    /// The perceptual distance.
    #[error(transparent)]
    Lpips(#[from] LpipsError),
    /// Distances between sets of images.
    #[error(transparent)]
    Metrics(MetricsError),
    /// A folder of models.
    #[error(transparent)]
    Zoo(#[from] ZooError),
    /// The index of features.
    #[error(transparent)]
    Retrieval(#[from] RetrievalError),
    /// A network.
    #[error(transparent)]
    StyleGan2(#[from] StyleGan2Error),
    /// Training.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// Something that TOML cannot hold.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
    /// Something that JSON cannot hold, or that is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// An option with a value that cannot be used.
    pub(crate) fn option(
        option: &'static str,
        found: impl ToString,
        problem: impl Into<String>,
    ) -> Self {
        Self::Option {
            option,
            found: found.to_string(),
            problem: problem.into(),
        }
    }

    /// What a network says of itself, with the model's name.
    pub(crate) fn of_model(model: &str) -> impl FnOnce(StyleGan2Error) -> Self {
        move |error| Self::Model {
            model: model.to_owned(),
            problem: error.to_string(),
        }
    }

    /// The operating system's reason why something cannot be done with a file.
    pub(crate) fn io(
        path: impl Into<PathBuf>,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            path,
            action,
            source,
        }
    }
}

impl From<MetricsError> for Error {
    fn from(error: MetricsError) -> Self {
        match error {
            MetricsError::Cancelled { .. } => Self::Cancelled,
            error => Self::Metrics(error),
        }
    }
}
