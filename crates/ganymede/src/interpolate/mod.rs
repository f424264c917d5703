//! Interpolates between images of a model, and measures how smooth the way is.

mod animation;
mod measured_path;
mod options;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ganspace::Interpolation;
use image_tensor::RgbImage;
use lpips::Lpips;
use plotters::style::{BLUE, GREEN, MAGENTA, RED, RGBColor};
use serde::{Deserialize, Serialize};

pub use measured_path::{MeasuredPath, SmoothnessResult, Way, spread};
pub use options::{EasingChoice, InterpolationChoice, Options};

use crate::feature_offset::{Offset, OffsetPath};
use crate::files::{self, ShownPath};
use crate::images::bad_images;
use crate::latents::{LatentSettings, LatentSource, expand, expand_one, without_offsets};
use crate::line_plot::{Axis, Series, line_plot};
use crate::model_image::{self, ModelImage};
use crate::{Context, Error, Model, Observer};

/// A path that was rendered and measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The model's name.
    pub model: String,
    /// Where the path starts.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// Network of the LPIPS distance.
    pub lpips_network: String,
    /// In their order; fewer than were asked for when the observer ended the job.
    pub frames: Vec<Frame>,
    /// Of a whole path.
    #[serde(flatten)]
    pub smoothness: Option<SmoothnessResult>,
    /// The frames as an animation.
    pub gif: Option<ShownPath>,
    /// The frames as a film, where there is an ffmpeg.
    pub mp4: Option<ShownPath>,
    /// Some frames side by side.
    pub strip: Option<ShownPath>,
    /// LPIPS from frame to frame, of all models.
    pub plot: Option<ShownPath>,
    /// The same path in other models.
    pub comparison: Vec<Compared>,
    /// Whether the observer ended the job, so that frames, models or the plot are missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// An image of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ShownPath>,
    /// Share of the path.
    pub t: f64,
    /// LPIPS from this frame to the next, in a loop from the last to the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lpips_to_next: Option<f64>,
}

/// The same path in another model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Its name.
    pub model: String,
    /// How smooth it is.
    #[serde(flatten)]
    pub smoothness: SmoothnessResult,
    /// Its animation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gif: Option<ShownPath>,
}

/// Animations of small models are enlarged to about this side.
const SHOWN_SIDE: u32 = 256;
/// Frames of the still picture.
const STRIP_FRAMES: usize = 9;
const PADDING: u32 = 2;
/// Curves of the models, in their order.
const COLORS: [RGBColor; 4] = [BLUE, RED, GREEN, MAGENTA];

/// Finds the latents in the model, joins them, and renders and measures the path; then the same in the models to
/// compare with.
///
/// Smoothness is measured by LPIPS between successive frames: the perceptual path length (mean of LPIPS over the
/// squared step) and the largest step over the mean step. The observer sees every frame. Frames are written as PNG, GIF
/// and MP4 (where ffmpeg is on the PATH), a strip of them as PNG, and the steps' sizes as SVG. Frames and strip of a
/// model with opacity are RGBA; animations, which cannot be half transparent, are over white.
///
/// ```
/// use ganymede::interpolate;
/// use ganymede::{Context, Device};
///
/// let options = interpolate::Options { frames: 3, ..interpolate::Options::default() };
/// let outcome = interpolate::run(&options, &Context::new(Device::flex()), &mut ())?;
/// let shares: Vec<f64> = outcome.frames.iter().map(|frame| frame.t).collect();
/// assert_eq!(shares, [0.0, 0.5, 1.0]);
/// assert!(outcome.smoothness.is_some_and(|found| found.perceptual_path_length > 0.0));
/// # Ok::<(), ganymede::Error>(())
/// ```
///
/// # Errors
///
/// A model or a latent cannot be loaded or inverted, an option does not fit the model, or a file cannot be written.
pub fn run(
    options: &Options,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Outcome, Error> {
    options.validate()?;
    let model = context.model(&options.model)?;
    let others: Vec<Arc<Model>> = options
        .compare
        .iter()
        .map(|which| context.model(which))
        .collect::<Result<_, _>>()?;
    let network = options.inversion.lpips;
    let metric = context.lpips(network)?;
    if let Some(out) = &options.out {
        files::make_folder(out)?;
    }
    let bad_images = bad_images(options.skip_bad);
    let mut sources = vec![expand_one(options.from.clone(), bad_images, observer)?];
    sources.extend(expand(options.via.clone(), bad_images, observer)?);
    sources.push(expand_one(options.to.clone(), bad_images, observer)?);
    let job = Job {
        options,
        sources: &sources,
        context,
        metric: &metric,
    };
    let main = job.measure(&model, observer)?;
    let mut files = match &options.out {
        Some(out) if !main.images.is_empty() => job.write_pictures(out, &model, &main)?,
        _ => Files::default(),
    };
    let mut paths = vec![(&*model, main)];
    let mut comparison = Vec::new();
    for other in &others {
        if observer.cancelled() {
            break;
        }
        let path = job.measure(other, observer)?;
        if let Some(found) = path.smoothness()? {
            let gif = match &options.out {
                Some(out) => Some(job.write_gif(out, other, &path)?),
                None => None,
            };
            comparison.push(Compared {
                model: other.name.clone(),
                smoothness: found.into(),
                gif,
            });
        }
        paths.push((other, path));
    }
    let cancelled = observer.cancelled();
    if let Some(out) = options.out.as_ref().filter(|_| !cancelled) {
        files.plot = Some(job.write_plot(out, &paths)?);
    }
    let (_, main) = &paths[0];
    let frames = (0..main.images.len()).map(|index| Frame {
        file: files.frames.get(index).cloned(),
        t: main.times[index],
        lpips_to_next: main.distances.get(index).copied(),
    });
    Ok(Outcome {
        model: model.name.clone(),
        from: options.from.to_string(),
        to: options.to.to_string(),
        lpips_network: network.to_string(),
        frames: frames.collect(),
        smoothness: main.smoothness()?.map(SmoothnessResult::from),
        gif: files.gif,
        mp4: files.mp4,
        strip: files.strip,
        plot: files.plot,
        comparison,
        cancelled,
    })
}

/// What the models' paths share.
struct Job<'a> {
    options: &'a Options,
    /// What is joined, in order; sets of images are taken apart.
    sources: &'a [LatentSource],
    context: &'a Context,
    metric: &'a Lpips,
}

/// Pictures of the first model.
#[derive(Default)]
struct Files {
    frames: Vec<ShownPath>,
    gif: Option<ShownPath>,
    mp4: Option<ShownPath>,
    strip: Option<ShownPath>,
    plot: Option<ShownPath>,
}

impl Job<'_> {
    /// Finds the latents in a model, joins them, and renders and measures the path.
    fn measure(&self, model: &Model, observer: &mut dyn Observer) -> Result<MeasuredPath, Error> {
        let options = self.options;
        let latents = LatentSettings {
            truncation_psi: options.truncation_psi,
            class: options.class,
            inversion: &options.inversion,
            seed: options.seed,
            context: self.context,
            metric: self.metric,
        }
        .load(self.sources, model, observer)?;
        let interpolation = match options.interpolation {
            InterpolationChoice::Linear => Interpolation::Linear,
            InterpolationChoice::Slerp => Interpolation::Spherical {
                center: model.mean_latent("slerp")?,
            },
        };
        let easing = options.easing.easing();
        let of_latents: Vec<Option<&Offset>> = latents
            .iter()
            .map(|latent| latent.offset.as_ref())
            .collect();
        let offsets = OffsetPath::new(&of_latents, easing, options.closed)?;
        let latents = without_offsets(latents);
        let mut path = ganspace::Path::new(latents, interpolation, easing)?;
        if options.closed {
            path = path.closed();
        }
        let way = Way { path, offsets };
        let path = &way.path;
        let count = usize::from(options.frames);
        let measured = self.render(model, &way, path.times(count)?, observer)?;
        if !options.even || observer.cancelled() {
            return Ok(measured);
        }
        // LPIPS grows with the square of a small step; its root adds up along the path.
        let lengths: Vec<f64> = measured.distances.iter().map(|d| d.sqrt()).collect();
        let times = ganspace::even_times(&lengths, count, path.is_closed())?;
        self.render(model, &way, times, observer)
    }

    fn render(
        &self,
        model: &Model,
        way: &Way,
        times: Vec<f64>,
        observer: &mut dyn Observer,
    ) -> Result<MeasuredPath, Error> {
        let batch = usize::from(self.options.inversion.batch);
        MeasuredPath::render(
            model,
            way,
            times,
            self.metric,
            batch,
            self.context.device(),
            observer,
        )
    }

    fn write_pictures(
        &self,
        out: &Path,
        model: &Model,
        path: &MeasuredPath,
    ) -> Result<Files, Error> {
        let options = self.options;
        let mut frames = Vec::with_capacity(path.images.len());
        let folder = out.join(format!("{}-frames", model.name));
        animation::make_frame_folder(&folder)?;
        for (index, image) in path.images.iter().enumerate() {
            let file = animation::frame_file(&folder, index);
            image.write(&file)?;
            frames.push(ShownPath(file));
        }
        let still = 1.max(SHOWN_SIDE / 2 / model.resolution());
        let shown: Vec<_> = spread(path.images.len(), STRIP_FRAMES)
            .map(|index| path.images[index].magnified(still))
            .collect();
        let strip_file = path_file(out, model, "png");
        model_image::sheet(&shown, shown.len(), PADDING).write(strip_file.as_ref())?;
        let mp4 = path_file(out, model, "mp4");
        let is_written = !options.no_mp4 && {
            let frames = animation::OpaqueFrames::of(&path.images, &folder)?;
            animation::Mp4 {
                frames: frames.folder(),
                frames_per_second: options.fps,
                enlarged: enlargement(model),
            }
            .write(mp4.as_ref())?
        };
        Ok(Files {
            frames,
            gif: Some(self.write_gif(out, model, path)?),
            mp4: is_written.then_some(mp4),
            strip: Some(strip_file),
            plot: None,
        })
    }

    fn write_gif(
        &self,
        out: &Path,
        model: &Model,
        path: &MeasuredPath,
    ) -> Result<ShownPath, Error> {
        let file = path_file(out, model, "gif");
        let frame = Duration::from_secs_f64(1.0 / f64::from(self.options.fps));
        let images: Vec<RgbImage> = path.images.iter().map(ModelImage::opaque).collect();
        let gif = animation::gif(&images, enlargement(model), frame, self.options.closed)?;
        files::write(file.as_ref(), &gif)?;
        Ok(file)
    }

    /// The steps of all models over the path.
    fn write_plot(&self, out: &Path, paths: &[(&Model, MeasuredPath)]) -> Result<ShownPath, Error> {
        let series: Vec<Series<'_>> = paths
            .iter()
            .zip(COLORS.iter().cycle())
            .map(|((model, path), color)| Series {
                name: &model.name,
                color: *color,
                points: path
                    .times
                    .iter()
                    .copied()
                    .zip(path.distances.iter().copied())
                    .collect(),
                spread: Vec::new(),
            })
            .collect();
        let title = format!("{} to {}", self.options.from, self.options.to);
        let plot = line_plot(
            &format!("LPIPS from frame to frame, {title}"),
            "share of the path",
            &series,
            Axis::Linear,
        )?;
        let file = path_file(out, paths[0].0, "svg");
        files::write(file.as_ref(), plot.as_bytes())?;
        Ok(file)
    }
}

/// `MODEL-path.KIND`.
fn path_file(out: &Path, model: &Model, kind: &str) -> ShownPath {
    ShownPath(files::file(out, &format!("{}-path", model.name), kind))
}

fn enlargement(model: &Model) -> u32 {
    (SHOWN_SIDE / model.resolution()).max(1)
}
