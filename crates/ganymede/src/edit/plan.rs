//! Which edits were asked for.

use std::path::PathBuf;

use ganspace::{Basis, Edit, EditBook, LayerRange, NamedEdit};
use ndarray::Array1;

use super::bases::Bases;
use super::options::{AttributeSource, Options};
use super::outcome::main_component;
use crate::{Error, Model, Observer, Warning};

/// An edit whose strength changes from picture to picture.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name, `component K` or `mixture`.
    pub label: String,
    /// Of a mixture the one with the largest weight.
    pub component: usize,
    /// Weights of components; none of a component alone.
    pub mixture: Vec<f64>,
    pub layers: LayerRange,
    /// What its component is one of.
    pub basis: Basis,
    pub edit: Edit,
    pub strengths: Vec<f64>,
}

/// What a strip shows.
#[derive(Clone, Debug)]
pub struct Plan {
    pub axis: Option<Axis>,
    /// Applied to every picture.
    pub fixed: Vec<FixedEdit>,
}

#[derive(Clone, Debug)]
pub struct FixedEdit {
    pub name: String,
    pub edit: Edit,
    pub strength: f64,
}

/// Pictures of a named edit's range, where no strengths are given.
const RANGE_STEPS: usize = 7;

impl Plan {
    pub fn new(
        options: &Options,
        model: &Model,
        mixture: Option<Array1<f64>>,
        bases: &mut Bases<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            axis: None,
            fixed: Vec::new(),
        };
        if !options.edit.is_empty()
            && options.direction.is_none()
            && options.layers != LayerRange::ALL
        {
            return Err(Error::option(
                "layers",
                options.layers,
                "a named edit has its own layers; leave them out, or choose a direction",
            ));
        }
        let book = if options.edit.is_empty() {
            EditBook::default()
        } else {
            EditBook::load(edits_file(options, model))?
        };
        for request in &options.edit {
            let named = book.get(&request.name)?;
            let directions = bases.directions(&named.basis, observer)?;
            let edit = named.edit(&request.name, &model.name, &directions)?;
            match request.strength {
                Some(strength) => plan.fixed.push(FixedEdit {
                    name: request.name.clone(),
                    edit,
                    strength,
                }),
                None if plan.axis.is_some() || options.direction.is_some() => {
                    return Err(Error::option(
                        "edit",
                        &request.name,
                        format!(
                            "only one edit or direction can change from picture to picture; fix the others as {}=1.5",
                            request.name
                        ),
                    ));
                }
                None => plan.axis = Some(named_axis(&request.name, named, edit, options)),
            }
        }
        if plan.axis.is_none() && (plan.fixed.is_empty() || options.direction.is_some()) {
            let basis = options.basis(model.generator.mapping.w_dim());
            warn_of_few_samples(&basis, observer);
            let directions = bases.directions(&basis, observer)?;
            let layers = options.layers;
            let (label, component, edit) = match &mixture {
                Some(weights) => (
                    "mixture".to_owned(),
                    main_component(&weights.to_vec()),
                    directions.mixture(weights.view(), layers)?,
                ),
                None => {
                    let component = options.direction.unwrap_or(0);
                    let edit = directions.edit(component, layers)?;
                    (format!("component {component}"), component, edit)
                }
            };
            plan.axis = Some(Axis {
                label,
                component,
                mixture: mixture.map(|weights| weights.to_vec()).unwrap_or_default(),
                layers,
                edit,
                basis,
                strengths: options.strengths(),
            });
        }
        Ok(plan)
    }
}

fn named_axis(name: &str, named: &NamedEdit, edit: Edit, options: &Options) -> Axis {
    Axis {
        label: name.to_owned(),
        component: named.component,
        mixture: named.mixture.clone(),
        layers: named.layers,
        basis: named.basis.clone(),
        edit,
        strengths: if options.strength.is_empty() {
            range_strengths(named)
        } else {
            options.strength.clone()
        },
    }
}

/// Strengths from one end of a named edit's range to the other.
pub fn range_strengths(named: &NamedEdit) -> Vec<f64> {
    let [from, to] = named.range;
    let steps = (RANGE_STEPS - 1) as f64;
    (0..RANGE_STEPS)
        .map(|i| from + (to - from) * i as f64 / steps)
        .collect()
}

/// The file of named edits: the chosen one, or that beside the model.
pub fn edits_file(options: &Options, model: &Model) -> PathBuf {
    options.edits.clone().unwrap_or_else(|| model.edits_file())
}

/// Adds a direction to the file of named edits, making it where there is none; gives the file.
pub fn save(name: &str, axis: &Axis, options: &Options, model: &Model) -> Result<PathBuf, Error> {
    let file = edits_file(options, model);
    let mut book = if file.exists() {
        EditBook::load(&file)?
    } else {
        EditBook::default()
    };
    let ends = [axis.strengths.first(), axis.strengths.last()];
    let [Some(from), Some(to)] = ends else {
        return Err(Error::option(
            "strength",
            "",
            "a saved edit needs strengths",
        ));
    };
    book.insert(
        name,
        NamedEdit {
            description: options.description.clone(),
            attribute: match options.attribute() {
                Some(AttributeSource::Region(color)) => color.to_string(),
                // A file of images is not kept with the edit.
                Some(AttributeSource::File(_)) | None => String::new(),
            },
            model: model.name.clone(),
            component: axis.component,
            mixture: axis.mixture.clone(),
            layers: axis.layers,
            range: [*from, *to],
            stdev: axis.edit.stdev(),
            basis: axis.basis.clone(),
        },
    )?;
    book.save(&file)?;
    Ok(file)
}

/// Samples of latents span one direction less than they are, and the last of those are their own rather than the
/// model's.
pub fn warn_of_few_samples(basis: &Basis, observer: &mut dyn Observer) {
    const SAMPLES_A_COMPONENT: u32 = 10;
    let wanted = basis.components as u32 * SAMPLES_A_COMPONENT;
    if basis.samples < wanted {
        observer.warn(&Warning::FewSamples {
            samples: basis.samples,
            components: basis.components,
            wanted,
        });
    }
}
