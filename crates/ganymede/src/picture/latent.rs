use burn::tensor::{Device, Tensor};
use ganspace::{Easing, Path};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use stylegan2::{Truncation, latents_from_seeds};

use super::directions::{Change, apply};
use super::{LatentsText, OffsetText};
use crate::feature_offset::{Offset, OffsetPath};
use crate::latents::{from_tensor, to_tensor};
use crate::{Context, Error, Model, class};

/// Where a latent comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latent {
    /// The latent that the official code draws for a seed.
    Seed(Seeded),
    /// Its numbers, such as an inversion finds.
    WPlus(LatentsText),
    /// Its numbers, and what is added to the features that they make: a refined inversion.
    Refined(Refined),
    /// A place on the way between others.
    Course(OnCourse),
}

/// A refined inversion. Edits move its latents; the offset stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refined {
    /// The latents.
    pub w_plus: LatentsText,
    /// What is added to the features behind one block.
    pub offset: OffsetText,
}

/// A seed's latent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seeded {
    /// Of the normal numbers.
    pub seed: u32,
    /// 1 leaves the latent as it is, smaller values pull it to the mean.
    pub truncation_psi: f32,
    /// Truncate only so many of the first layers.
    pub truncation_cutoff: Option<usize>,
    /// Class of a conditional model, counted from 0.
    pub class: Option<usize>,
}

impl Default for Seeded {
    fn default() -> Self {
        Self {
            seed: 0,
            truncation_psi: 1.0,
            truncation_cutoff: None,
            class: None,
        }
    }
}

/// A place on a course.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnCourse {
    /// The way.
    #[serde(flatten)]
    pub course: Course,
    /// 0 is its start and 1 its end.
    #[serde(default)]
    pub time: f64,
}

/// A way through latents in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Two or more.
    pub points: Vec<Point>,
    /// How fast it goes between two points.
    #[serde(default)]
    pub easing: Easing,
    /// How latents between two points are made.
    #[serde(default)]
    pub interpolation: CourseShape,
    /// Whether it goes back to the first point.
    #[serde(default)]
    pub closed: bool,
}

/// An edited latent of a course.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Before it is edited.
    pub latent: Latent,
    /// What is changed of it.
    #[serde(default)]
    pub edits: Vec<Change>,
}

/// The line that a course follows: as [`ganspace::Interpolation`], about the mean latent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "ganspace has the formulas")]
pub enum CourseShape {
    #[default]
    Linear,
    Spherical,
}

impl Course {
    /// The offsets of features along the path; none where no point has one.
    ///
    /// # Errors
    ///
    /// An offset does not fit the model, or two are of different blocks.
    pub fn offsets(&self, model: &Model) -> Result<Option<OffsetPath>, Error> {
        let offsets = self.points.iter().map(|point| offset(&point.latent, model));
        let offsets = offsets.collect::<Result<Vec<Option<Offset>>, Error>>()?;
        let offsets: Vec<Option<&Offset>> = offsets.iter().map(Option::as_ref).collect();
        OffsetPath::new(&offsets, self.easing, self.closed)
    }

    /// The path through the model's latents.
    ///
    /// # Errors
    ///
    /// There are fewer than two points, one does not fit the model, or the model has no mean latent to turn about.
    pub fn path(&self, model: &Model, context: &Context) -> Result<Path, Error> {
        let points = self.points.iter();
        let latents = points
            .map(|point| edited(&point.latent, &point.edits, model, context))
            .collect::<Result<Vec<_>, Error>>()?;
        let interpolation = match self.interpolation {
            CourseShape::Linear => ganspace::Interpolation::Linear,
            CourseShape::Spherical => ganspace::Interpolation::Spherical {
                center: model.mean_latent("spherical")?,
            },
        };
        let path = Path::new(latents, interpolation, self.easing)?;
        Ok(if self.closed { path.closed() } else { path })
    }
}

/// The latents `[num_ws, w_dim]` of a source with its edits.
pub(crate) fn edited(
    latent: &Latent,
    edits: &[Change],
    model: &Model,
    context: &Context,
) -> Result<Array2<f32>, Error> {
    let mut w_plus = match latent {
        Latent::Seed(seeded) => of_seed(seeded, model, context.device())?,
        Latent::WPlus(text) => text.read(model)?,
        Latent::Refined(refined) => refined.w_plus.read(model)?,
        Latent::Course(OnCourse { course, time }) => {
            if !time.is_finite() {
                return Err(Error::option("time", time, "expected a number from 0 to 1"));
            }
            course.path(model, context)?.at(*time)
        }
    };
    apply(edits, &mut w_plus, model, context)?;
    Ok(w_plus)
}

/// What is added to the features of a source, where it is a refined one.
pub(crate) fn offset(latent: &Latent, model: &Model) -> Result<Option<Offset>, Error> {
    match latent {
        Latent::Seed(_) | Latent::WPlus(_) => Ok(None),
        Latent::Refined(refined) => refined.offset.read(model).map(Some),
        Latent::Course(OnCourse { course, time }) => {
            let path = course.offsets(model)?;
            Ok(path.map(|path| path.at(*time)))
        }
    }
}

fn of_seed(seeded: &Seeded, model: &Model, device: &Device) -> Result<Array2<f32>, Error> {
    model.check_truncation(seeded.truncation_psi)?;
    let mapping = &model.generator.mapping;
    let class = class::check(seeded.class, model)?;
    let truncation = Truncation {
        psi: seeded.truncation_psi,
        cutoff: seeded.truncation_cutoff,
    };
    let z = latents_from_seeds(&[seeded.seed], mapping.z_dim(), device);
    let w_plus = mapping.forward(z, class::labels(class, 1, model, device), truncation);
    Ok(from_tensor(w_plus).remove(0))
}

/// Latents `[num_ws, w_dim]` as a batch of one.
pub(crate) fn tensor(w_plus: &Array2<f32>, device: &Device) -> Tensor<3> {
    to_tensor(std::slice::from_ref(w_plus), device)
}
