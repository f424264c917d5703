//! What the study found, for programs.

use serde::Serialize;

use super::super::claims::Claim;
use super::super::edits::Edited;
use super::super::interpolations::Way;
use super::super::results::{CategoryResults, Study};
use super::Effort;
use super::lines::Line;
use crate::device::DeviceChoice;
use crate::files::ShownPath;
use crate::invert::{OptimizerChoice, StartChoice};

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What was done.
    pub protocol: Protocol,
    /// In the order of the options.
    pub categories: Vec<CategoryReport>,
    /// Means of each category at each rank, and of all images.
    pub table: Vec<Line>,
    /// The paper's, and what becomes of them.
    pub claims: Vec<Claim>,
    /// Ways between inversions.
    pub interpolations: Vec<Way>,
    /// Edits of inversions.
    pub edits: Vec<Edited>,
    /// Each image at each rank.
    pub images: Vec<ImageReport>,
    /// What was written.
    pub files: Vec<ShownPath>,
    /// How this call came by its inversions.
    pub inversions: Effort,
    /// Sum over the study's inversions, by whichever run they were made; none where some come from parts, which do not
    /// say how long they took.
    pub inversion_seconds: Option<f64>,
    /// What report.md says.
    #[serde(skip)]
    pub text: String,
}

/// What a study did.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Protocol {
    /// Those that were ranked, by name.
    pub models: Vec<String>,
    /// Side of their images, in pixels.
    pub resolution: usize,
    /// Of the models that images were inverted with.
    pub ranks: Vec<usize>,
    /// Of the latents.
    pub space: &'static str,
    /// Where the latents began.
    pub start: StartChoice,
    /// What moved the latents.
    pub optimizer: OptimizerChoice,
    /// Of each inversion.
    pub steps: usize,
    /// Network of the LPIPS in the loss.
    pub loss: String,
    /// Weight of LPIPS.
    pub lambda_lpips: f32,
    /// Weight of the mean squared error.
    pub lambda_mse: f32,
    /// Images that were optimized together.
    pub batch: usize,
    /// Where it was computed.
    pub device: String,
    /// Of everything random.
    pub seed: u32,
    /// Of each interval.
    pub bootstrap_resamples: u32,
}

/// A kind of images.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CategoryReport {
    /// Its name.
    pub name: String,
    /// How many it has.
    pub images: usize,
    /// Images whose model at rank 1 is that of the category's name.
    pub own_model_first: Option<usize>,
}

/// An image inverted into one model.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ImageReport {
    /// Its kind.
    pub category: String,
    /// Category and name.
    pub image: String,
    /// Of the model for this image.
    pub rank: usize,
    /// The model.
    pub model: String,
    /// Log-density.
    pub score: f64,
    /// LPIPS of AlexNet.
    pub lpips_alex: f64,
    /// LPIPS of VGG16.
    pub lpips_vgg: f64,
    /// In dB, of pictures in 8 bits.
    pub psnr: f64,
    /// Of values in [-1, 1].
    pub mse: f64,
    /// Euclidean distance from the mean latent, over all layers.
    pub w_plus_distance: f64,
}

impl Study<'_> {
    pub fn protocol(&self) -> Protocol {
        let Self { options, plan, .. } = self;
        Protocol {
            models: plan.models.iter().map(|m| m.name().to_owned()).collect(),
            resolution: plan
                .categories
                .iter()
                .flat_map(|category| &category.images)
                .map(|image| image.pixels.width() as usize)
                .next()
                .unwrap_or(0),
            ranks: plan.ranks.clone(),
            space: options.inversion.space.name(),
            start: options.inversion.start,
            optimizer: options.inversion.optimizer,
            steps: options.inversion.steps,
            loss: options.inversion.lpips.to_string(),
            lambda_lpips: options.inversion.lambda_lpips,
            lambda_mse: options.inversion.lambda_mse,
            batch: options.batch(),
            device: format!("{:?}", DeviceChoice::of(self.device)).to_lowercase(),
            seed: options.seed,
            bootstrap_resamples: options.resamples,
        }
    }

    pub fn categories(&self, results: &[CategoryResults]) -> Vec<CategoryReport> {
        results
            .iter()
            .map(|category| CategoryReport {
                name: category.name.clone(),
                images: category.images(),
                own_model_first: category.own_model_first,
            })
            .collect()
    }

    pub fn images(&self, results: &[CategoryResults]) -> Vec<ImageReport> {
        let mut all = Vec::new();
        for (category, results) in self.plan.categories.iter().zip(results) {
            for (rank, inversions) in self.plan.ranks.iter().zip(&results.inversions) {
                for (image, kept) in category.images.iter().zip(inversions) {
                    let ranked = &image.ranking[rank - 1];
                    let measures = &kept.measures;
                    all.push(ImageReport {
                        category: category.name.clone(),
                        image: image.name.clone(),
                        rank: *rank,
                        model: ranked.model.clone(),
                        score: ranked.score,
                        lpips_alex: measures.lpips_alex,
                        lpips_vgg: measures.lpips_vgg,
                        psnr: measures.psnr,
                        mse: measures.mse,
                        w_plus_distance: measures.w_plus_distance,
                    });
                }
            }
        }
        all
    }
}
