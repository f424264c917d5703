//! What is measured of an inversion, and its median over images.

use std::sync::Arc;

use burn::tensor::Tensor;
use ganymede::median::median;
use ganymede::{Context, rendering};
use inversion::psnr_of_pictures;
use lpips::{Lpips, LpipsNetwork};
use serde::Serialize;

use examples::Failure;

/// Both distances that results are given in.
pub struct Metrics {
    pub alex: Arc<Lpips>,
    pub vgg: Arc<Lpips>,
}

/// How named edits work on an inversion: sums over edits.
#[derive(Clone, Copy, Debug, Default)]
pub struct EditSums {
    /// How far attributes move on the plain inversion and on this one.
    pub change: [f64; 2],
    /// LPIPS of what the edits should not touch.
    pub rest: [f64; 2],
}

/// One inversion.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub psnr: f64,
    pub alex: f64,
    pub vgg: f64,
    pub distance: f64,
    pub seconds: f64,
    /// The objective, of searches for latents.
    pub total: f64,
    /// Mean of a refinement's mask.
    pub mask: Option<f64>,
    /// LPIPS that other images of a tuned model have moved by.
    pub moved: Option<f64>,
    pub edits: EditSums,
}

impl Metrics {
    pub fn load(context: &Context) -> Result<Self, Failure> {
        Ok(Self {
            alex: context.lpips(LpipsNetwork::AlexNet)?,
            vgg: context.lpips(LpipsNetwork::Vgg16)?,
        })
    }

    /// Of an image and its target, both `[1, channels, side, side]`.
    pub fn measure(
        &self,
        image: &Tensor<4>,
        target: &Tensor<4>,
        seconds: f64,
    ) -> Result<Measured, Failure> {
        let shown = image.clone().clamp(-1.0, 1.0);
        let distance = |metric: &Lpips| -> Result<f64, Failure> {
            Ok(rendering::distances(metric, shown.clone(), target.clone())?[0])
        };
        Ok(Measured {
            psnr: psnr_of_pictures(image.clone(), target.clone())[0],
            alex: distance(&self.alex)?,
            vgg: distance(&self.vgg)?,
            seconds,
            ..Measured::default()
        })
    }
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub row: &'static str,
    pub images: usize,
    pub psnr: f64,
    pub lpips_alex: f64,
    pub lpips_vgg: f64,
    pub w_plus_distance: f64,
    pub seconds: f64,
    pub objective: f64,
    pub edit_kept: Option<f64>,
    pub side_effect: Option<f64>,
    pub mask: Option<f64>,
    pub moved: Option<f64>,
}

impl Row {
    pub const HEADER: [&'static str; 11] = [
        "",
        "images",
        "PSNR dB",
        "LPIPS alex",
        "vgg",
        "distance",
        "seconds",
        "edit kept",
        "side effect",
        "mask",
        "others moved",
    ];

    pub fn cells(&self) -> Vec<String> {
        let optional = |value: Option<f64>, decimals: usize| {
            value.map_or(String::new(), |value| format!("{value:.decimals$}"))
        };
        vec![
            self.row.to_owned(),
            self.images.to_string(),
            format!("{:.2}", self.psnr),
            format!("{:.4}", self.lpips_alex),
            format!("{:.4}", self.lpips_vgg),
            format!("{:.1}", self.w_plus_distance),
            format!("{:.2}", self.seconds),
            optional(self.edit_kept, 3),
            optional(self.side_effect, 3),
            optional(self.mask, 3),
            optional(self.moved, 4),
        ]
    }
}

/// Medians over images, and edits over all of them together.
pub fn summary(row: &'static str, measured: &[Measured]) -> Row {
    let of_some =
        |value: fn(&Measured) -> Option<f64>| median(measured.iter().filter_map(value).collect());
    let of = |value: fn(&Measured) -> f64| {
        median(measured.iter().map(value).collect()).unwrap_or(f64::NAN)
    };
    let share = |sums: fn(&EditSums) -> [f64; 2]| {
        let [plain, this] = [0, 1].map(|which: usize| {
            let values = measured.iter().map(|measured| sums(&measured.edits)[which]);
            values.sum::<f64>()
        });
        (plain > 0.0).then(|| this / plain)
    };
    Row {
        row,
        images: measured.len(),
        psnr: of(|m| m.psnr),
        lpips_alex: of(|m| m.alex),
        lpips_vgg: of(|m| m.vgg),
        w_plus_distance: of(|m| m.distance),
        seconds: of(|m| m.seconds),
        objective: of(|m| m.total),
        edit_kept: share(|edits| edits.change),
        side_effect: share(|edits| edits.rest),
        mask: of_some(|m| m.mask),
        moved: of_some(|m| m.moved),
    }
}
