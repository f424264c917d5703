use std::ops::ControlFlow;

use burn::tensor::{Int, Tensor, TensorData};
use stylegan2::{NoiseMode, RandomState};

use crate::noise_regularization::normalize_noise;
use crate::objective::{Objective, Targets};
use crate::w_statistics::sample_w;
use crate::{InversionConfig, InversionError, LatentSpace, Noise, NoiseStart, Start};

/// Latents before the first step: `[batch, 1, w_dim]` in W, `[batch, num_ws, w_dim]` in W+.
///
/// `on_compared` hears how many random latents of how many were compared, and may end the choice with the best so far.
pub(crate) fn start_latents(
    config: &InversionConfig,
    objective: &Objective<'_>,
    targets: &Targets,
    on_compared: impl FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Tensor<3>, InversionError> {
    let batch = targets.pixels().dims()[0];
    let synthesis = &objective.generator().synthesis;
    let (num_ws, w_dim) = (synthesis.num_ws(), synthesis.w_dim());
    let count = match config.space {
        LatentSpace::W => 1,
        LatentSpace::WPlus => num_ws,
    };
    let latents = match &config.start {
        Start::WAvg => objective.w_avg(),
        Start::BestOf {
            samples,
            truncation_psi,
            seed,
        } => {
            let w = sample_w(objective.generator(), *samples, *seed);
            let w_avg: Tensor<2> = objective.w_avg().squeeze_dim(0);
            let truncated = w_avg.clone() + (w - w_avg.clone()).mul_scalar(*truncation_psi);
            let candidates = Tensor::cat(vec![w_avg, truncated], 0).unsqueeze_dim(1);
            best_candidates(config, objective, targets, candidates, on_compared)?
        }
        Start::Given(latents) => {
            let found = latents.dims();
            if !(found[0] == 1 || found[0] == batch)
                || !(found[1] == 1 || found[1] == count)
                || found[2] != w_dim
            {
                return Err(InversionError::StartShape {
                    found,
                    batch,
                    latents: match config.space {
                        LatentSpace::W => "1".into(),
                        LatentSpace::WPlus => format!("1 or {num_ws}"),
                    },
                    w_dim,
                });
            }
            latents
                .clone()
                .without_autodiff()
                .to_device(&objective.device())
        }
    };
    // Repeated memory becomes memory of its own, as every image and layer gets its own values from here on.
    Ok(latents.expand([batch, count, w_dim])
        + Tensor::zeros([batch, count, w_dim], &objective.device()))
}

/// For each target the one of the least objective among `candidates` `[candidates, 1, w_dim]`: `[batch, 1, w_dim]`.
fn best_candidates(
    config: &InversionConfig,
    objective: &Objective<'_>,
    targets: &Targets,
    candidates: Tensor<3>,
    mut on_compared: impl FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Tensor<3>, InversionError> {
    let generator = objective.generator();
    let all = candidates.dims()[0];
    // Optimized noise starts from images that say nothing about a target, so candidates are judged with the generator's
    // own.
    let noise = match config.noise {
        Noise::None => NoiseMode::None,
        Noise::Constant | Noise::Optimized(_) => NoiseMode::Constant,
    };

    let batch = targets.pixels().dims()[0];
    let device = objective.device();
    let single: Vec<Targets> = (0..batch as i64)
        .map(|image| targets.select(Tensor::arange(image..image + 1, &device)))
        .collect();
    let mut best = vec![(f64::INFINITY, 0i32); batch];
    let chunk = chunk_of(generator.synthesis.img_resolution());
    for first in (0..all).step_by(chunk) {
        let count = chunk.min(all - first);
        let w_plus = objective.w_plus(candidates.clone().narrow(0, first, count));
        let losses = objective.compare_all(w_plus, &noise, &single)?;
        for (best, losses) in best.iter_mut().zip(losses) {
            for (row, losses) in losses.iter().enumerate() {
                if losses.total < best.0 {
                    *best = (losses.total, (first + row) as i32);
                }
            }
        }
        if on_compared(first + count, all).is_break() {
            break;
        }
    }
    let rows: Vec<i32> = best.iter().map(|(_, row)| *row).collect();
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [batch]), &objective.device());
    Ok(candidates.select(0, rows))
}

/// Images of one forward pass: as many as fit the memory of one image of 512 x 512, at most 64.
pub(crate) fn chunk_of(resolution: usize) -> usize {
    const PIXELS: usize = 512 * 512;
    const MOST: usize = 64;
    (PIXELS / (resolution * resolution)).clamp(1, MOST)
}

/// Noise images before the first step, each `[batch, 1, resolution, resolution]`; none unless they are optimized.
pub(crate) fn start_noise(
    config: &InversionConfig,
    objective: &Objective<'_>,
    batch: usize,
) -> Result<Vec<Tensor<4>>, InversionError> {
    let Noise::Optimized(noise) = &config.noise else {
        return Ok(Vec::new());
    };
    let own: Vec<Tensor<4>> = objective
        .generator()
        .synthesis
        .noise_images()
        .into_iter()
        .map(|(_, image)| image)
        .collect();
    if own.is_empty() {
        return Err(InversionError::NoNoise);
    }
    let images = match &noise.start {
        NoiseStart::Constant => own,
        NoiseStart::Random { seed } => {
            let mut random = RandomState::new(*seed);
            own.iter()
                .map(|image| {
                    let shape = image.dims();
                    let values = random.standard_normals(shape.iter().product());
                    let image =
                        Tensor::from_data(TensorData::new(values, shape), &objective.device());
                    normalize_noise(image)
                })
                .collect()
        }
        NoiseStart::Given(given) => {
            let fits = given.len() == own.len()
                && given.iter().zip(&own).all(|(given, own)| {
                    let (given, own) = (given.dims(), own.dims());
                    given[1..] == own[1..] && (given[0] == 1 || given[0] == batch)
                });
            if !fits {
                return Err(InversionError::NoiseShape {
                    found: given.iter().map(|image| image.dims()).collect(),
                    batch,
                    expected: own
                        .iter()
                        .map(|image| {
                            let [_, channels, height, width] = image.dims();
                            [batch, channels, height, width]
                        })
                        .collect(),
                });
            }
            given
                .iter()
                .map(|image| {
                    image
                        .clone()
                        .without_autodiff()
                        .to_device(&objective.device())
                })
                .collect()
        }
    };
    Ok(images
        .into_iter()
        .map(|image| {
            let [_, channels, height, width] = image.dims();
            let shape = [batch, channels, height, width];
            image.expand(shape) + Tensor::zeros(shape, &objective.device())
        })
        .collect())
}
