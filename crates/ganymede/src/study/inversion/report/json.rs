//! What the study found, for programs.

use serde::Serialize;

use super::Effort;
use super::lines::Line;
use crate::claims::Claim;
use crate::edits::Edited;
use crate::interpolations::Way;
use crate::results::{CategoryResults, Study};
use ganymede::files::ShownPath;

#[derive(Serialize)]
pub struct Report<'a> {
    pub protocol: Protocol,
    pub categories: Vec<CategoryReport<'a>>,
    pub table: Vec<Line>,
    pub claims: Vec<Claim>,
    pub interpolations: Vec<Way>,
    pub edits: Vec<Edited>,
    pub images: Vec<ImageReport<'a>>,
    pub files: Vec<ShownPath>,
    pub inversions: Effort,
    /// Sum over the study's inversions, by whichever run they were made.
    pub inversion_seconds: f64,
}

#[derive(Serialize)]
pub struct Protocol {
    pub models: Vec<String>,
    pub resolution: usize,
    pub ranks: Vec<usize>,
    pub space: &'static str,
    pub steps: usize,
    pub loss: String,
    pub lambda_lpips: f32,
    pub lambda_mse: f32,
    pub batch: usize,
    pub device: String,
    pub seed: u32,
    pub bootstrap_resamples: u32,
}

#[derive(Serialize)]
pub struct CategoryReport<'a> {
    pub name: &'a str,
    pub images: usize,
    /// Images whose model at rank 1 is that of the category's name.
    pub own_model_first: Option<usize>,
}

#[derive(Serialize)]
pub struct ImageReport<'a> {
    pub category: &'a str,
    pub image: &'a str,
    pub rank: usize,
    pub model: &'a str,
    /// Log-density.
    pub score: f64,
    pub lpips_alex: f64,
    pub lpips_vgg: f64,
    pub psnr: f64,
    pub mse: f64,
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
            steps: options.inversion.steps,
            loss: options.inversion.lpips.network().to_string(),
            lambda_lpips: options.inversion.lambda_lpips,
            lambda_mse: options.inversion.lambda_mse,
            batch: options.batch(),
            device: format!("{:?}", options.common.device).to_lowercase(),
            seed: options.common.seed,
            bootstrap_resamples: options.resamples,
        }
    }

    pub fn categories<'a>(&self, results: &'a [CategoryResults]) -> Vec<CategoryReport<'a>> {
        results
            .iter()
            .map(|category| CategoryReport {
                name: &category.name,
                images: category.images(),
                own_model_first: category.own_model_first,
            })
            .collect()
    }

    pub fn images<'a>(&'a self, results: &[CategoryResults]) -> Vec<ImageReport<'a>> {
        let mut all = Vec::new();
        for (category, results) in self.plan.categories.iter().zip(results) {
            for (rank, inversions) in self.plan.ranks.iter().zip(&results.inversions) {
                for (image, kept) in category.images.iter().zip(inversions) {
                    let ranked = &image.ranking[rank - 1];
                    let measures = &kept.measures;
                    all.push(ImageReport {
                        category: &category.name,
                        image: &image.name,
                        rank: *rank,
                        model: &ranked.model,
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
