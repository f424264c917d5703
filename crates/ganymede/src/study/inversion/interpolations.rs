//! Ways between two inversions of a category, with the model that was found and with a random one.

use ganspace::{Easing, Interpolation};
use serde::Serialize;

use crate::plan::{Category, Pair};
use crate::results::Study;
use examples::Failure;
use examples::terminal::Terminal;
use ganymede::Error;
use ganymede::figure::{Panel, Row};
use ganymede::interpolate::{MeasuredPath, SmoothnessResult, spread};

/// One way in one model.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    pub category: String,
    pub from: String,
    pub to: String,
    pub model: String,
    pub kind: Kind,
    #[serde(flatten)]
    pub smoothness: SmoothnessResult,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The model at rank 1 of both images.
    Found,
    /// Any other model of the study.
    Random,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Found, Self::Random];

    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "rank 1",
            Self::Random => "random",
        }
    }

    fn model(self, pair: &Pair) -> &str {
        match self {
            Self::Found => &pair.found,
            Self::Random => &pair.random,
        }
    }
}

/// Frames of a way in the figure.
const STILLS: usize = 7;

impl Study<'_> {
    /// Ways of all pairs, each in both models, and their figure.
    pub fn interpolations(&self) -> Result<(Vec<Way>, Vec<Row>), Failure> {
        let (mut ways, mut rows) = (Vec::new(), Vec::new());
        for category in &self.plan.categories {
            for pair in &category.pairs {
                for kind in Kind::ALL {
                    let (way, row) = self.way(category, pair, kind)?;
                    ways.push(way);
                    rows.push(row);
                }
            }
        }
        Ok((ways, rows))
    }

    fn way(&self, category: &Category, pair: &Pair, kind: Kind) -> Result<(Way, Row), Failure> {
        let model = self.model(kind.model(pair))?;
        let ends = pair.images.map(|image| &category.images[image]);
        let latents = ends
            .iter()
            .map(|image| Ok(self.inversion(&model.name, image)?.w_plus))
            .collect::<Result<Vec<_>, Failure>>()?;
        let path = ganspace::Path::new(latents, Interpolation::Linear, Easing::Linear)?;
        let times = path.times(usize::from(self.options.frames))?;
        let measured = MeasuredPath::render(
            &model,
            &path.into(),
            times,
            self.metric,
            usize::from(self.options.inversion.batch),
            self.device,
            &mut Terminal::of(self.interrupt),
        )?;
        let smoothness: SmoothnessResult = measured.smoothness()?.ok_or(Error::Cancelled)?.into();
        let [from, to] = ends.map(|image| image.name.clone());
        let panels = spread(measured.images.len(), STILLS)
            .map(|frame| {
                let share = format!("{:.2}", measured.times[frame]);
                Panel::new(&measured.images[frame], vec![share])
            })
            .collect();
        let row = Row {
            heading: format!(
                "{from} to {to}, {} ({}): path length {:.3}, largest / mean step {:.2}",
                model.name,
                kind.name(),
                smoothness.perceptual_path_length,
                smoothness.largest_step_over_mean
            ),
            panels,
        };
        let way = Way {
            category: category.name.clone(),
            from,
            to,
            model: model.name,
            kind,
            smoothness,
        };
        Ok((way, row))
    }
}
