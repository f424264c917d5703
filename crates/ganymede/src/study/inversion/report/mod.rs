//! What a study says: a text with tables, figures, and everything as JSON.

mod json;
mod lines;
mod text;

use serde::Serialize;

use super::claims::judge;
use super::results::{CategoryResults, Study};
use crate::figure::{self, Panel, Row};
use crate::files::ShownPath;
use crate::statistics::Bootstrap;
use crate::{Error, Observer, files};

pub use json::{CategoryReport, ImageReport, Protocol, Report};
pub use lines::{Line, MetricEstimate};

/// How a run came by its inversions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Effort {
    /// Inversions that the study, or its part, consists of.
    pub needed: usize,
    /// Those that other caches had.
    pub merged: usize,
    /// Those that this run made.
    pub made: usize,
    /// Wall time of this run.
    pub seconds: f64,
}

impl Study<'_> {
    /// Writes report.md and the figures.
    pub fn report(
        &self,
        effort: impl FnOnce() -> Effort,
        observer: &mut dyn Observer,
    ) -> Result<Report, Error> {
        let options = self.options;
        files::make_folder(&options.out)?;
        let results = self.results(observer)?;
        let bootstrap = Bootstrap {
            resamples: options.resamples,
            seed: options.seed,
        };
        let lines = lines::of(&results, &self.plan.ranks);
        let claims = judge(&results, &self.plan.ranks, &bootstrap);
        let (interpolations, ways) = self.interpolations(observer)?;
        let (edits, edited) = self.edits(observer)?;
        let protocol = self.protocol();
        let text = [
            text::introduction(self.plan, &protocol, &results),
            text::caution(&results),
            lines::table(&lines),
            text::claims(&claims),
            text::comparisons(&claims),
            text::interpolations(&interpolations, options.frames, &bootstrap),
        ]
        .concat();
        let file = ShownPath(options.out.join("report.md"));
        files::write(file.as_ref(), text.as_bytes())?;
        let mut files = vec![file];
        for (name, rows) in [
            ("inversions", self.inversion_rows(&results)),
            ("interpolations", ways),
            ("edits", edited),
        ] {
            if !rows.is_empty() {
                files.push(figure::write(&options.out, name, &rows)?);
            }
        }
        let kept = results.iter().flat_map(|c| c.inversions.iter().flatten());
        Ok(Report {
            protocol,
            categories: self.categories(&results),
            table: lines,
            claims,
            interpolations,
            edits,
            images: self.images(&results),
            files,
            inversions: effort(),
            inversion_seconds: kept.map(|kept| kept.seconds).sum(),
            text,
        })
    }

    /// Target and inversions side by side.
    fn inversion_rows(&self, results: &[CategoryResults]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (category, results) in self.plan.categories.iter().zip(results) {
            let shown = usize::from(self.options.shown);
            for (index, image) in category.images.iter().enumerate().take(shown) {
                let target = Panel::new(&image.pixels, vec!["target".to_owned()]);
                let ranks = self.plan.ranks.iter().zip(&results.inversions);
                let inverted = ranks.map(|(rank, inversions)| {
                    let kept = &inversions[index];
                    let measures = &kept.measures;
                    let caption = vec![
                        format!("rank {rank}: {}", image.at_rank(*rank)),
                        format!(
                            "LPIPS {:.3} (alex), {:.3} (vgg)",
                            measures.lpips_alex, measures.lpips_vgg
                        ),
                        format!(
                            "PSNR {:.1} dB, |w+ - w_avg| {:.1}",
                            measures.psnr, measures.w_plus_distance
                        ),
                    ];
                    Panel::new(&kept.reconstruction, caption)
                });
                rows.push(Row {
                    heading: image.name.clone(),
                    panels: std::iter::once(target).chain(inverted).collect(),
                });
            }
        }
        rows
    }
}
