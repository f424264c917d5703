//! Ways between two inversions of a category, with the model that was found and with a random one.

use ganspace::{Easing, Interpolation};
use serde::Serialize;

use super::plan::{Category, Pair};
use super::results::Study;
use crate::figure::{Panel, Row};
use crate::interpolate::{MeasuredPath, SmoothnessResult, spread};
use crate::{Error, Observer};

/// One way in one model.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// Of both images.
    pub category: String,
    /// The first image.
    pub from: String,
    /// The last.
    pub to: String,
    /// Into which they were inverted.
    pub model: String,
    /// Why that one.
    pub kind: Kind,
    /// How even the way is.
    #[serde(flatten)]
    pub smoothness: SmoothnessResult,
}

/// Why a model was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The model at rank 1 of both images.
    Found,
    /// Any other model of the study.
    Random,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Found, Self::Random];

    pub(super) fn name(self) -> &'static str {
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
    pub fn interpolations(
        &self,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<Way>, Vec<Row>), Error> {
        let (mut ways, mut rows) = (Vec::new(), Vec::new());
        for category in &self.plan.categories {
            for pair in &category.pairs {
                for kind in Kind::ALL {
                    let (way, row) = self.way(category, pair, kind, observer)?;
                    ways.push(way);
                    rows.push(row);
                }
            }
        }
        Ok((ways, rows))
    }

    fn way(
        &self,
        category: &Category,
        pair: &Pair,
        kind: Kind,
        observer: &mut dyn Observer,
    ) -> Result<(Way, Row), Error> {
        let model = self.model(kind.model(pair))?;
        let ends = pair.images.map(|image| &category.images[image]);
        let latents = ends
            .iter()
            .map(|image| Ok(self.inversion(&model.name, image, observer)?.w_plus))
            .collect::<Result<Vec<_>, Error>>()?;
        let path = ganspace::Path::new(latents, Interpolation::Linear, Easing::Linear)?;
        let times = path.times(usize::from(self.options.frames))?;
        let measured = MeasuredPath::render(
            &model,
            &path.into(),
            times,
            self.metric,
            usize::from(self.options.inversion.batch),
            self.device,
            observer,
        )?;
        let smoothness: SmoothnessResult = measured.smoothness()?.ok_or(Error::Cancelled)?.into();
        let [from, to] = ends.map(|image| image.name.clone());
        let panels = spread(measured.images.len(), STILLS)
            .map(|frame| {
                let share = format!("{:.2}", measured.times[frame]);
                Panel::new(&measured.images[frame].opaque(), vec![share])
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
