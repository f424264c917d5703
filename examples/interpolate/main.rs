//! Interpolate between two images of a StyleGAN2 model, and measure how smooth the way is.
//!
//! `cargo run --release --example interpolate` goes from one seed's image of a model of this repository to another's.

mod animation;
mod options;
#[cfg(test)]
mod tests;

use ganymede::files;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::Device;
use ganspace::Interpolation;
use image_tensor::{Rgb, magnify, strip, write_png};
use lpips::Lpips;
use ndarray::Array1;
use plotters::prelude::{BLUE, GREEN, MAGENTA, RED, RGBColor};
use serde::Serialize;

use examples::interrupt::Interrupt;
use examples::latents::{LatentSettings, LatentSource};
use examples::line_plot::{Axis, Series, line_plot};
use examples::measured_path::{MeasuredPath, SmoothnessResult, spread};
use examples::{Failure, output, table};
use ganymede::Model;
use ganymede::files::ShownPath;
use options::{InterpolationChoice, Options};

#[derive(Serialize)]
struct Results {
    model: String,
    from: String,
    to: String,
    lpips_network: String,
    frames: Vec<FrameResult>,
    #[serde(flatten)]
    smoothness: Option<SmoothnessResult>,
    gif: Option<ShownPath>,
    mp4: Option<ShownPath>,
    strip: Option<ShownPath>,
    plot: Option<ShownPath>,
    /// The same path in other models.
    comparison: Vec<ModelResult>,
}

#[derive(Serialize)]
struct FrameResult {
    file: ShownPath,
    /// Share of the path.
    t: f64,
    /// LPIPS from this frame to the next, in a loop from the last to the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    lpips_to_next: Option<f64>,
}

#[derive(Serialize)]
struct ModelResult {
    model: String,
    #[serde(flatten)]
    smoothness: SmoothnessResult,
    gif: ShownPath,
}

/// Animations of small models are enlarged to about this side.
const SHOWN_SIDE: u32 = 256;
/// Frames of the still picture.
const STRIP_FRAMES: usize = 9;
const PADDING: u32 = 2;
const WHITE: Rgb<u8> = Rgb([255; 3]);
/// Curves of the models, in their order.
const COLOURS: [RGBColor; 4] = [BLUE, RED, GREEN, MAGENTA];

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Options>()))
}

fn run(options: &Options) -> Result<ExitCode, Failure> {
    let context = options.common.context()?;
    let model = context.model(&options.model)?;
    let others: Vec<Arc<Model>> = options
        .compare
        .iter()
        .map(|which| context.model(which))
        .collect::<Result<_, _>>()?;
    let network = options.inversion.lpips.network();
    let metric = context.lpips(network)?;
    files::make_folder(&options.out)?;
    let interrupt = Interrupt::listen()?;
    let bad_images = options.bad_images;
    let mut sources = vec![bad_images.expand_one(options.from.clone())?];
    sources.extend(bad_images.expand(options.via.clone())?);
    sources.push(bad_images.expand_one(options.to.clone())?);
    let job = Job {
        options,
        sources: &sources,
        device: context.device(),
        metric: &metric,
        interrupt: &interrupt,
    };

    let main = job.measure(&model)?;
    let mut files = if main.images.is_empty() {
        Files::default()
    } else {
        job.write_pictures(&model, &main)?
    };
    let mut paths = vec![(&*model, main)];
    let mut comparison = Vec::new();
    for other in &others {
        if interrupt.requested() {
            break;
        }
        let path = job.measure(other)?;
        if let Some(found) = path.smoothness()? {
            comparison.push(ModelResult {
                model: other.name.clone(),
                smoothness: found.into(),
                gif: job.write_gif(other, &path)?,
            });
        }
        paths.push((other, path));
    }
    if !interrupt.requested() {
        files.plot = Some(job.write_plot(&paths)?);
    }
    print(&paths)?;
    if files.mp4.is_none() && !options.no_mp4 && !interrupt.requested() {
        println!("no MP4: there is no ffmpeg on the PATH");
    }
    println!("written to {}", options.out.display());

    if let Some(json) = &options.common.json {
        let (_, main) = &paths[0];
        let frames = files.frames.into_iter().enumerate();
        let results = Results {
            model: model.name.clone(),
            from: options.from.to_string(),
            to: options.to.to_string(),
            lpips_network: network.to_string(),
            frames: frames
                .map(|(index, file)| FrameResult {
                    file,
                    t: main.times[index],
                    lpips_to_next: main.distances.get(index).copied(),
                })
                .collect(),
            smoothness: main.smoothness()?.map(SmoothnessResult::from),
            gif: files.gif,
            mp4: files.mp4,
            strip: files.strip,
            plot: files.plot,
            comparison,
        };
        output::write_json(json, &results)?;
    }
    Ok(interrupt.exit_code())
}

/// What the models' paths share.
struct Job<'a> {
    options: &'a Options,
    /// What is joined, in order; sets of images are taken apart.
    sources: &'a [LatentSource],
    device: &'a Device,
    metric: &'a Lpips,
    interrupt: &'a Interrupt,
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
    fn measure(&self, model: &Model) -> Result<MeasuredPath, Failure> {
        let options = self.options;
        let latents = LatentSettings {
            truncation_psi: options.truncation_psi,
            class: options.class,
            inversion: &options.inversion,
            seed: options.common.seed,
            device_choice: options.common.device,
            device: self.device,
            metric: self.metric,
            interrupt: self.interrupt,
        }
        .load(self.sources, model)?;
        let interpolation = match options.interpolation {
            InterpolationChoice::Linear => Interpolation::Linear,
            InterpolationChoice::Slerp => Interpolation::Spherical {
                centre: mean_latent(model)?,
            },
        };
        let mut path = ganspace::Path::new(latents, interpolation, options.easing.easing())?;
        if options.closed {
            path = path.closed();
        }
        let times = path.times(options.frames())?;
        let measured = self.render(model, &path, times)?;
        if !options.even || self.interrupt.requested() {
            return Ok(measured);
        }
        // LPIPS grows with the square of a small step; its root adds up along the path.
        let lengths: Vec<f64> = measured.distances.iter().map(|d| d.sqrt()).collect();
        let times = ganspace::even_times(&lengths, options.frames(), path.is_closed())?;
        self.render(model, &path, times)
    }

    fn render(
        &self,
        model: &Model,
        path: &ganspace::Path,
        times: Vec<f64>,
    ) -> Result<MeasuredPath, Failure> {
        MeasuredPath::render(
            model,
            path,
            times,
            self.metric,
            usize::from(self.options.inversion.batch),
            self.device,
            &|| self.interrupt.requested(),
        )
    }

    fn write_pictures(&self, model: &Model, path: &MeasuredPath) -> Result<Files, Failure> {
        let options = self.options;
        let mut frames = Vec::with_capacity(path.images.len());
        let folder = options.out.join(format!("{}-frames", model.name));
        animation::make_frame_folder(&folder)?;
        for (index, image) in path.images.iter().enumerate() {
            let file = animation::frame_file(&folder, index);
            write_png(&file, image)?;
            frames.push(ShownPath(file));
        }
        let shown = spread(path.images.len(), STRIP_FRAMES)
            .map(|index| {
                magnify(
                    &path.images[index],
                    1.max(SHOWN_SIDE / 2 / model.resolution()),
                )
            })
            .collect::<Vec<_>>();
        let strip_file = files::file(&options.out, &format!("{}-path", model.name), "png");
        write_png(&strip_file, &strip(&shown, PADDING, WHITE))?;
        let mp4 = files::file(&options.out, &format!("{}-path", model.name), "mp4");
        let encoder = animation::Mp4 {
            frames: &folder,
            frames_per_second: options.fps,
            enlarged: enlargement(model),
        };
        let mp4 = if options.no_mp4 {
            None
        } else {
            encoder.write(&mp4)?.then_some(ShownPath(mp4))
        };
        Ok(Files {
            frames,
            gif: Some(self.write_gif(model, path)?),
            mp4,
            strip: Some(ShownPath(strip_file)),
            plot: None,
        })
    }

    fn write_gif(&self, model: &Model, path: &MeasuredPath) -> Result<ShownPath, Failure> {
        let file = files::file(&self.options.out, &format!("{}-path", model.name), "gif");
        let frame = Duration::from_secs_f64(1.0 / f64::from(self.options.fps));
        let gif = animation::gif(&path.images, enlargement(model), frame, self.options.closed)?;
        files::write(&file, &gif)?;
        Ok(ShownPath(file))
    }

    /// The steps of all models over the path.
    fn write_plot(&self, paths: &[(&Model, MeasuredPath)]) -> Result<ShownPath, Failure> {
        let series: Vec<Series<'_>> = paths
            .iter()
            .zip(COLOURS.iter().cycle())
            .map(|((model, path), colour)| Series {
                name: &model.name,
                colour: *colour,
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
        let file = files::file(
            &self.options.out,
            &format!("{}-path", paths[0].0.name),
            "svg",
        );
        files::write(&file, plot.as_bytes())?;
        Ok(ShownPath(file))
    }
}

/// The mean latent, `[w_dim]`.
fn mean_latent(model: &Model) -> Result<Array1<f32>, Failure> {
    let mapping = &model.generator.mapping;
    if !mapping.tracks_w_avg() {
        return Err(format!(
            "--interpolation slerp: {} has no mean latent to turn about; use linear",
            model.name
        )
        .into());
    }
    let values = mapping.w_avg().into_data();
    Ok(values.iter::<f32>().collect())
}

fn enlargement(model: &Model) -> u32 {
    (SHOWN_SIDE / model.resolution()).max(1)
}

fn print(paths: &[(&Model, MeasuredPath)]) -> Result<(), Failure> {
    let header = [
        "model",
        "frames",
        "path length",
        "mean step",
        "largest / mean",
    ];
    let mut rows = Vec::new();
    for (model, path) in paths {
        let Some(found) = path.smoothness()? else {
            continue;
        };
        rows.push(vec![
            model.name.clone(),
            path.images.len().to_string(),
            format!("{:.4}", found.perceptual_path_length),
            format!("{:.5}", found.mean_step),
            format!("{:.2}", found.largest_over_mean),
        ]);
    }
    table::print(&header, &rows);
    Ok(())
}
