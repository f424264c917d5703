//! What a study says: a text with tables, figures, and everything as JSON.

mod json;
mod lines;
mod text;

use ganymede::files;
use serde::Serialize;

use crate::claims::judge;
use crate::results::{CategoryResults, Study};
use crate::statistics::Bootstrap;
use examples::{Failure, output};
use ganymede::figure::{self, Panel, Row};
use ganymede::files::ShownPath;
use json::Report;

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
    /// Writes report.md, the figures and the JSON, and prints the tables.
    pub fn report(&self, effort: impl FnOnce() -> Effort) -> Result<(), Failure> {
        let options = self.options;
        files::make_folder(&options.out)?;
        let results = self.results()?;
        let bootstrap = Bootstrap {
            resamples: options.resamples,
            seed: options.common.seed,
        };
        let lines = lines::of(&results, &self.plan.ranks);
        let claims = judge(&results, &self.plan.ranks, &bootstrap);
        let (interpolations, ways) = self.interpolations()?;
        let (edits, edited) = self.edits()?;
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
        print!("{text}");
        let effort = effort();
        println!(
            "\n{}: report.md and figures; {} inversions, {} of them made now, in {:.1} s",
            options.out.display(),
            effort.needed,
            effort.made,
            effort.seconds
        );
        if let Some(json) = &options.common.json {
            let kept = results.iter().flat_map(|c| c.inversions.iter().flatten());
            let report = Report {
                protocol,
                categories: self.categories(&results),
                table: lines,
                claims,
                interpolations,
                edits,
                images: self.images(&results),
                files,
                inversions: effort,
                inversion_seconds: kept.map(|kept| kept.seconds).sum(),
            };
            output::write_json(json, &report)?;
        }
        Ok(())
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
