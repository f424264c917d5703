//! Edits of inversions with the models at rank 1.

use ganspace::{Edit, EditBook, LayerRange};
use image_tensor::from_signed_unit;
use serde::Serialize;

use super::plan::RankedImage;
use super::results::Study;
use crate::edit::{Bases, Space};
use crate::figure::{Panel, Row};
use crate::{Error, Model, Observer, Warning, rendering};

/// One picture.
#[derive(Clone, Debug, Serialize)]
pub struct Edited {
    /// Category and name of the image.
    pub image: String,
    /// The model at rank 1, into which it was inverted.
    pub model: String,
    /// Its name, or `component K`.
    pub edit: String,
    /// In standard deviations of the component.
    pub strength: f64,
    /// LPIPS from the unedited inversion.
    pub lpips: f64,
}

/// An edit with the strengths that are shown.
struct Shown {
    name: String,
    edit: Edit,
    strengths: [f64; 2],
}

/// Edits of a model that are shown.
const EDITS: usize = 3;
/// Standard deviations to either side where no range is known.
const STRENGTH: f64 = 3.0;

impl Study<'_> {
    /// Edits of the shown images' inversions, and their figure.
    pub fn edits(&self, observer: &mut dyn Observer) -> Result<(Vec<Edited>, Vec<Row>), Error> {
        let (mut edited, mut rows) = (Vec::new(), Vec::new());
        for category in &self.plan.categories {
            let shown = &category.images[..category.images.len().min(self.shown())];
            let mut models: Vec<&str> = shown.iter().map(|image| image.at_rank(1)).collect();
            models.sort_unstable();
            models.dedup();
            for name in models {
                let model = self.model(name)?;
                let edits = self.edits_of(&model, observer)?;
                for image in shown.iter().filter(|image| image.at_rank(1) == name) {
                    let (pictures, row) = self.edit(&model, &edits, image, observer)?;
                    edited.extend(pictures);
                    rows.push(row);
                }
            }
        }
        Ok((edited, rows))
    }

    fn shown(&self) -> usize {
        usize::from(self.options.shown)
    }

    /// The first of a model's named edits, or where it has none its first components.
    fn edits_of(&self, model: &Model, observer: &mut dyn Observer) -> Result<Vec<Shown>, Error> {
        if model.generator.mapping.c_dim() > 0 {
            observer.warn(&Warning::NoEdits {
                model: model.name.clone(),
            });
            return Ok(Vec::new());
        }
        let mut bases = Bases::new(model, None, self.device);
        let file = model.edits_file();
        let book = if file.exists() {
            EditBook::load(file)?
        } else {
            EditBook::default()
        };
        let mut shown = Vec::new();
        for (name, named) in book.iter().take(EDITS) {
            let directions = bases.directions(&named.basis, observer)?;
            shown.push(Shown {
                name: name.to_owned(),
                edit: named.edit(name, &model.name, &directions)?,
                strengths: named.range,
            });
        }
        if !shown.is_empty() {
            return Ok(shown);
        }
        let w_dim = model.generator.mapping.w_dim();
        let basis = Space::W.usual_basis(w_dim, self.options.seed);
        let directions = bases.directions(&basis, observer)?;
        (0..directions.count().min(EDITS))
            .map(|component| {
                Ok(Shown {
                    name: format!("component {component}"),
                    edit: directions.edit(component, LayerRange::ALL)?,
                    strengths: [-STRENGTH, STRENGTH],
                })
            })
            .collect()
    }

    fn edit(
        &self,
        model: &Model,
        edits: &[Shown],
        image: &RankedImage,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<Edited>, Row), Error> {
        let inversion = self.inversion(&model.name, image, observer)?;
        let mut panels = vec![
            Panel::new(&image.pixels, vec![image.name.clone()]),
            Panel::new(&inversion.reconstruction, vec!["inversion".to_owned()]),
        ];
        let mut edited = Vec::new();
        let unedited =
            rendering::render(model, std::slice::from_ref(&inversion.w_plus), self.device)?;
        for shown in edits {
            for strength in shown.strengths {
                let mut latent = inversion.w_plus.clone();
                shown.edit.apply(&mut latent, strength)?;
                let picture = rendering::render(model, &[latent], self.device)?;
                let lpips =
                    rendering::distances(self.metric, picture.clone(), unedited.clone())?[0];
                let caption = vec![
                    format!("{} {strength:+.1}", shown.name),
                    format!("LPIPS {lpips:.3}"),
                ];
                panels.push(Panel::new(&from_signed_unit(picture)[0], caption));
                edited.push(Edited {
                    image: image.name.clone(),
                    model: model.name.clone(),
                    edit: shown.name.clone(),
                    strength,
                    lpips,
                });
            }
        }
        let row = Row {
            heading: format!("{} in {}", image.name, model.name),
            panels,
        };
        Ok((edited, row))
    }
}
