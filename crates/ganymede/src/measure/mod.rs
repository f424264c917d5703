//! Compares two sets of images by the features of a network: Fréchet distance, KID, precision and recall, density and
//! coverage.

mod measures;
mod options;
mod perceptual;
mod set;

use std::path::{Path, PathBuf};

use image_tensor::{Rgb, grid, write_png};
use metrics_fid::{Keep, StreamOptions, write_npz_statistics};
use serde::{Deserialize, Serialize};
use web_time::Instant;

pub use measures::Measures;
pub use options::Options;
pub use perceptual::Perceptual;
pub use set::{SetReport, SizeCount};

use crate::files::{self, ShownPath};
use crate::images::bad_images;
use crate::{Context, DEFAULT_MODEL, Error, Observer, Weights};
use set::{GeneratedImages, Set};

/// What the sets say about each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The protocol, or the preprocessing where there is none.
    pub protocol: String,
    /// What the distance is to be called.
    pub distance: String,
    /// The real images.
    pub real: SetReport,
    /// The generated images.
    pub generated: SetReport,
    /// By features.
    #[serde(flatten)]
    pub measures: Measures,
    /// By LPIPS.
    #[serde(flatten)]
    pub perceptual: Perceptual,
    /// Of the whole job.
    pub seconds: f64,
    /// What was written.
    pub files: Vec<ShownPath>,
}

const GRID_COLUMNS: usize = 8;
const GRID_PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Compares real images with generated ones.
///
/// A set is a folder (searched with its subfolders), a .zip or an uncompressed .tar of images, statistics (.npz of
/// pytorch-fid or clean-fid, .safetensors that this job wrote), or what a model generates. Only a Fréchet distance of
/// Inception features, under one of the protocols pytorch-fid, clean-fid and torch-fidelity, is a FID; it needs the
/// weights of pt_inception-2015-12-05.
///
/// ```
/// use ganymede::measure::{self, Options};
/// use ganymede::protocol::Protocol;
/// use ganymede::{Context, Device};
/// # if ganymede::Weights::open(None).is_err() { return Ok(()) }
///
/// let context = Context::new(Device::flex());
/// let queries = context.weights()?.queries();
/// let options = Options {
///     real: Some(queries.join("micah")),
///     fake: Some(queries.join("funEmoji")),
///     protocol: Protocol::AlexNet,
///     ..Options::default()
/// };
/// let outcome = measure::run(&options, &context, &mut ())?;
/// assert_eq!(outcome.distance, "Fréchet distance (alexnet, whole picture)");
/// assert!(outcome.measures.frechet_distance > 0.0);
/// assert!(outcome.files.is_empty());
/// # Ok::<(), ganymede::Error>(())
/// ```
///
/// # Errors
///
/// A set or the network cannot be read, a set has fewer than two images, an option does not fit the sets, or a file
/// cannot be written; [`Error::Cancelled`] when the observer ends the job.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    options.validate()?;
    let device = context.device();
    let model = match options.fake {
        Some(_) => None,
        None => Some(context.model(options.model.as_deref().unwrap_or(DEFAULT_MODEL))?),
    };
    let folder = context.weights_folder();
    let real_path = match (&options.real, &model) {
        (Some(path), _) => path.clone(),
        (None, Some(model)) => default_images(&model.name, folder)?,
        (None, None) => return Err(Error::option("real", "", "name the images to compare with")),
    };
    let protocol = options.protocol;
    let features = protocol.load(options.features.as_deref(), folder, device)?;
    let stream = StreamOptions {
        batch_size: usize::from(options.batch),
        bad_images: bad_images(options.skip_bad),
        one_size: options.same_size,
        keep: Keep::Features,
        ..StreamOptions::default()
    };
    let real = Set::read(
        &real_path,
        "real images",
        &features,
        &stream,
        device,
        observer,
    )?;
    let generated = match (&options.fake, &model) {
        (Some(path), _) => Set::read(
            path,
            "generated images",
            &features,
            &stream,
            device,
            observer,
        )?,
        (None, Some(model)) => {
            let images = GeneratedImages {
                model,
                count: options.samples,
                first_seed: options.seed,
                psi: options.truncation_psi,
                class: options.class,
                batch: usize::from(options.batch),
                device,
            };
            Set::generate(&images, &features, observer)?
        }
        (None, None) => {
            return Err(Error::option(
                "fake",
                "",
                "name generated images or a model",
            ));
        }
    };
    let measures = Measures::new(options, &real, &generated)?;
    let perceptual = Perceptual::new(
        options,
        &real,
        &generated,
        model.as_deref(),
        context,
        observer,
    )?;
    let files = match &options.out {
        Some(out) => write_files(options, out, &real, &generated)?,
        None => Vec::new(),
    };
    Ok(Outcome {
        protocol: features.name().to_owned(),
        distance: features.distance_name(),
        real: real.report(),
        generated: generated.report(),
        measures,
        perceptual,
        seconds: started.elapsed().as_secs_f64(),
        files,
    })
}

/// The held-out images of a model's kind.
fn default_images(model: &str, weights: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = Weights::open(weights)?.queries().join(model);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Error::File {
        path: folder,
        problem: "no images there; name the real images".to_owned(),
    })
}

fn write_files(
    options: &Options,
    out: &Path,
    real: &Set,
    generated: &Set,
) -> Result<Vec<ShownPath>, Error> {
    let mut files = Vec::new();
    if !generated.first_images.is_empty() && options.fake.is_none() {
        files::make_folder(out)?;
        let file = files::file(out, "generated", "png");
        let shown = &generated.first_images[..generated.first_images.len().min(4 * GRID_COLUMNS)];
        write_png(&file, &grid(shown, GRID_COLUMNS, GRID_PADDING, WHITE))?;
        files.push(ShownPath(file));
    }
    if options.save_statistics {
        files::make_folder(out)?;
        for (name, set) in [("real", real), ("generated", generated)] {
            let file = files::file(out, name, "npz");
            write_npz_statistics(&file, &set.statistics)?;
            files.push(ShownPath(file));
            if let Some(images) = &set.images {
                let file = files::file(out, name, "safetensors");
                images.moments().save(&file)?;
                files.push(ShownPath(file));
            }
        }
    }
    Ok(files)
}
