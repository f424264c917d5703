//! Finds the models that could have made an image, and inverts the image into them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use image_source::SourceImage;
use image_tensor::{Rgb, RgbImage, center_crop_square, from_signed_unit, grid};
use retrieval_gaussian::{Query, RankedModel};
use serde::{Deserialize, Serialize};
use stylegan2::{Generator, NoiseMode, Truncation, latents_from_seeds};
use web_time::Instant;

use crate::figure::{self, Panel, Row};
use crate::files::{self, ShownPath};
use crate::images::{Target, bad_images, image_of, only_image};
use crate::invert::{self, InversionFiles, Search, Settings};
use crate::search::{Fit, Method, Searcher};
use crate::{Context, Error, Model, Observer, Preview, Warning};

/// Which image, which models, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "clap", derive(clap::Args), group(skip))]
pub struct Options {
    /// The query: an image, or a folder or archive with one; - for standard input [default: a query image of the
    /// repository]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub image: Option<PathBuf>,
    /// Leave out images that cannot be read, and say so
    #[cfg_attr(feature = "clap", arg(long))]
    pub skip_bad: bool,
    /// Ranks of the models to invert with; those beyond the zoo are left out
    #[cfg_attr(feature = "clap", arg(long, value_delimiter = ',', default_values_t = Options::default().ranks, value_parser = crate::search::rank))]
    pub ranks: Vec<usize>,
    /// Models whose samples are shown beside the query
    #[cfg_attr(feature = "clap", arg(long, default_value_t = Options::default().show))]
    pub show: usize,
    /// Folder of models [default: zoo/ in the weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "DIR"))]
    pub zoo: Option<PathBuf>,
    /// Weights of the feature network that the index was built with [default: the network's file in features/ of the
    /// weights folder]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE"))]
    pub features_file: Option<PathBuf>,
    /// Score
    #[cfg_attr(feature = "clap", arg(long, value_enum, default_value_t))]
    pub method: Method,
    /// How the inversions go.
    #[cfg_attr(feature = "clap", command(flatten))]
    pub inversion: Settings,
    /// Seed of everything random
    #[cfg_attr(feature = "clap", arg(skip))]
    pub seed: u32,
    /// Folder for the pictures. None are written without
    #[cfg_attr(feature = "clap", arg(skip))]
    pub out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            image: None,
            skip_bad: false,
            ranks: vec![1, 10, 15],
            show: 3,
            zoo: None,
            features_file: None,
            method: Method::default(),
            inversion: Settings::default(),
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
    /// [`Error::Option`] for a rank of 0; also as [`Settings::validate`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.ranks.contains(&0) {
            return Err(Error::option("ranks", 0, "the best model's rank is 1"));
        }
        self.inversion.validate()
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The query's file.
    pub image: String,
    /// How models were scored, as [`Method::name`] has it.
    pub method: String,
    /// All models, the best first.
    pub ranking: Vec<Ranked>,
    /// The model that the query is most usual for, by Gaussian density in an index that keeps scores of samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// In the order of the ranks that were asked for.
    pub inversions: Vec<Inverted>,
    /// The query, samples of the models and the inversions in one picture, where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<ShownPath>,
    /// Of the whole job.
    pub seconds: f64,
    /// Whether the observer ended the job, so that inversions are missing or had fewer steps.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// A model in the ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// From 1.
    pub rank: usize,
    /// Its name in the zoo.
    pub model: String,
    /// By the method that was asked for; only differences mean something.
    pub score: f64,
}

/// An inversion with a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inverted {
    /// The model's rank, from 1.
    pub rank: usize,
    /// Its name in the zoo.
    pub model: String,
    /// LPIPS of the reconstruction from the query.
    pub lpips: f64,
    /// Peak signal-to-noise ratio of the written picture, in dB; infinite, which is `null` in JSON, where it is the
    /// image.
    pub psnr: f64,
    /// Mean squared error of pixels in [-1, 1].
    pub mse: f64,
    /// Euclidean distance of the latents from the mean latent, over all layers.
    pub w_plus_distance: f64,
    /// Optimization steps done.
    pub steps: usize,
    /// Wall time.
    pub seconds: f64,
    /// What was written, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<InversionFiles>,
}

/// Samples of a model beside the query, in rows of two.
const SAMPLES: u32 = 4;
/// Truncation of those samples.
const SAMPLES_PSI: f32 = 0.7;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Ranks the zoo for an image, and inverts it with the models at some ranks.
///
/// An image that a good model could have made is inverted well; one that it could not is inverted badly, or far from
/// its mean. The observer sees samples of the models as `samples-RANK` and reconstructions as `rank-RANK-MODEL`. One
/// figure shows all.
///
/// ```
/// use ganymede::find_and_invert::{self, Options};
/// use ganymede::invert::Settings;
/// use ganymede::{Context, Device};
/// # if ganymede::Weights::open(None).is_err() { return Ok(()) }
///
/// let context = Context::new(Device::flex());
/// let options = Options {
///     image: Some(context.weights()?.queries().join("micah/2.png")),
///     ranks: vec![1],
///     inversion: Settings { steps: 10, ..Settings::default() },
///     ..Options::default()
/// };
/// let outcome = find_and_invert::run(&options, &context, &mut ())?;
/// assert_eq!(outcome.ranking[0].model, "micah");
/// assert_eq!(outcome.inversions[0].steps, 10);
/// # Ok::<(), ganymede::Error>(())
/// ```
///
/// # Errors
///
/// As [`rank`] and [`Found::invert`].
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    rank(options, context, observer)?.invert(observer)
}

/// The first half of [`run`]: ranks the zoo. A program can show that before the inversions, which take longer.
///
/// # Errors
///
/// The image cannot be read, the zoo has no index, or the weights of the index's feature network are missing.
pub fn rank<'a>(
    options: &'a Options,
    context: &'a Context,
    observer: &mut dyn Observer,
) -> Result<Found<'a>, Error> {
    /// The query of a job without an image: a kind and the number of its image.
    const DEFAULT_QUERY: &str = "personas/1.png";
    let started = Instant::now();
    options.validate()?;
    let weights = context.weights()?;
    let path = match &options.image {
        Some(path) => path.clone(),
        None => weights.queries().join(DEFAULT_QUERY),
    };
    let image = only_image(&path, bad_images(options.skip_bad), observer)?;
    let searcher = Searcher::open(
        options.zoo.as_deref(),
        options.features_file.as_deref(),
        &weights,
        context.device(),
    )?;
    if !searcher.outdated.is_harmless() {
        observer.warn(&Warning::IndexOutdated(searcher.outdated.clone()));
    }
    if let Some(out) = &options.out {
        files::make_folder(out)?;
    }
    let features = searcher.features(std::slice::from_ref(&image.pixels));
    let feature = Query::feature(&features.row(0).to_vec());
    let (ranking, scoring) = searcher.rank(&feature, options.method)?;
    Ok(Found {
        options,
        context,
        path,
        image,
        searcher,
        ranked: ranking.models,
        scoring,
        started,
    })
}

/// A ranked zoo.
pub struct Found<'a> {
    options: &'a Options,
    context: &'a Context,
    path: PathBuf,
    image: SourceImage,
    searcher: Searcher,
    ranked: Vec<RankedModel>,
    scoring: Duration,
    started: Instant,
}

/// A finished inversion and its picture.
struct Done {
    result: Inverted,
    image: RgbImage,
    cancelled: bool,
}

impl Found<'_> {
    /// The query's file.
    pub fn image(&self) -> String {
        self.path.display().to_string()
    }

    /// All models, the best first.
    pub fn ranking(&self) -> Vec<Ranked> {
        let ranked = self.ranked.iter().enumerate();
        ranked
            .map(|(index, model)| Ranked {
                rank: index + 1,
                model: model.model.clone(),
                score: model.score,
            })
            .collect()
    }

    /// The model that the query is most usual for, and whether that is likely to have made it; none where the method or
    /// the index does not say.
    pub fn fit(&self) -> Option<Fit> {
        match self.options.method {
            Method::GaussianDensity => self.searcher.fit(&self.ranked),
            _ => None,
        }
    }

    /// How long scoring all models took.
    pub fn scoring_time(&self) -> Duration {
        self.scoring
    }

    /// The second half of [`run`]: samples of the best models, and the inversions. What there is when the observer ends
    /// the job is written and returned.
    ///
    /// # Errors
    ///
    /// A model cannot be loaded, LPIPS does not take images of its size, a loss is not finite, or a file cannot be
    /// written.
    pub fn invert(self, observer: &mut dyn Observer) -> Result<Outcome, Error> {
        let (options, device) = (self.options, self.context.device());
        let mut best = Vec::new();
        for (index, model) in self.ranked.iter().take(options.show).enumerate() {
            let model = self
                .context
                .zoo_model(self.searcher.zoo.model(&model.model)?)?;
            let image = samples(&model.generator, options.seed, device);
            observer.preview(&Preview::new(&format!("samples-{}", index + 1), &image));
            best.push(image);
        }
        let mut inversions = Vec::new();
        let mut cancelled = false;
        for rank in &options.ranks {
            let Some(model) = self.ranked.get(rank - 1) else {
                observer.warn(&Warning::RankLeftOut {
                    rank: *rank,
                    models: self.ranked.len(),
                });
                continue;
            };
            if observer.cancelled() {
                cancelled = true;
                break;
            }
            let model = self
                .context
                .zoo_model(self.searcher.zoo.model(&model.model)?)?;
            let done = self.invert_with(*rank, model, observer)?;
            cancelled |= done.cancelled;
            inversions.push(done);
        }
        let figure = match &options.out {
            Some(out) => Some(figure::write(out, "figure", &self.rows(best, &inversions))?),
            None => None,
        };
        Ok(Outcome {
            image: self.image(),
            method: options.method.name().to_owned(),
            ranking: self.ranking(),
            fit: self.fit(),
            inversions: inversions.into_iter().map(|done| done.result).collect(),
            figure,
            seconds: self.started.elapsed().as_secs_f64(),
            cancelled,
        })
    }

    fn invert_with(
        &self,
        rank: usize,
        model: Arc<Model>,
        observer: &mut dyn Observer,
    ) -> Result<Done, Error> {
        let settings = &self.options.inversion;
        let target = Target::of(self.image.clone(), model.resolution());
        let name = format!("rank-{rank:02}-{}", model.name);
        let metric = self.context.lpips(settings.lpips)?;
        let seed = self.options.seed;
        let search = Search::new(settings, seed, &model, &metric, self.context, observer)?;
        let mut seen = invert::Seen::new(&search, vec![name.clone()], false);
        let started = Instant::now();
        let pixels = std::slice::from_ref(&target.pixels);
        let what = format!("rank {rank}");
        let found = search
            .run(pixels, &what, observer, |observer, step| {
                seen.see(observer, step);
            })?
            .remove(0);
        let seconds = started.elapsed().as_secs_f64();
        let files = match &self.options.out {
            Some(out) => Some(invert::write(out, &name, &model, &target, &found, &[])?),
            None => None,
        };
        let image = image_of(&found.reached.image);
        observer.preview(&Preview::new(&name, &image));
        Ok(Done {
            image,
            cancelled: found.is_cancelled(),
            result: Inverted {
                rank,
                model: model.name.clone(),
                lpips: found.reached.losses.lpips,
                psnr: found.reached.psnr,
                mse: found.reached.losses.mse,
                w_plus_distance: found.inversion.best.w_plus_distance,
                steps: invert::ended(&found.inversion).0,
                seconds,
                files,
            },
        })
    }

    /// The figure: samples beside the query, then the inversions.
    fn rows(&self, samples: Vec<RgbImage>, inversions: &[Done]) -> Vec<Row> {
        let query = Panel::new(
            &center_crop_square(&self.image.pixels),
            vec!["query".to_owned()],
        );
        let found = self.ranked.iter().zip(samples).enumerate();
        let found = found.map(|(index, (model, image))| {
            let caption = vec![
                format!("rank {}: {}", index + 1, model.model),
                format!("score {:.1}", model.score),
            ];
            Panel::new(&image, caption)
        });
        let inverted = inversions.iter().map(|done| {
            let caption = vec![
                format!("rank {}: {}", done.result.rank, done.result.model),
                format!(
                    "LPIPS {:.3}, PSNR {:.1} dB",
                    done.result.lpips, done.result.psnr
                ),
                format!("|w+ - w_avg| {:.1}", done.result.w_plus_distance),
            ];
            Panel::new(&done.image, caption)
        });
        vec![
            Row {
                heading: "Samples of the models found".to_owned(),
                panels: std::iter::once(query.clone()).chain(found).collect(),
            },
            Row {
                heading: "Inversions".to_owned(),
                panels: std::iter::once(query).chain(inverted).collect(),
            },
        ]
    }
}

/// Samples of a model as one picture.
fn samples(generator: &Generator, seed: u32, device: &Device) -> RgbImage {
    let seeds: Vec<u32> = (0..SAMPLES).map(|index| seed.wrapping_add(index)).collect();
    let z = latents_from_seeds(&seeds, generator.config().z_dim, device);
    let psi = match generator.mapping.tracks_w_avg() {
        true => Truncation::psi(SAMPLES_PSI),
        // A model without a mean latent has nothing to truncate towards.
        false => Truncation::NONE,
    };
    let images = generator.forward(
        z,
        generator.drawn_labels(&seeds, device),
        psi,
        &NoiseMode::Constant,
    );
    grid(&from_signed_unit(images), 2, 2, WHITE)
}
