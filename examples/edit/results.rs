//! Machine-readable results, and their tables.

use std::collections::BTreeMap;

use ganspace::{Association, Basis, Effect};
use serde::Serialize;

use crate::options::Options;
use crate::strip::Edited;
use examples::table;
use ganymede::Model;
use ganymede::files::ShownPath;

#[derive(Serialize)]
pub struct Results {
    model: String,
    layers: String,
    lpips_network: String,
    pub basis: Option<Basis>,
    pub edits: Vec<EditResult>,
    pub components: Vec<ComponentResult>,
    pub ranking: Vec<RankingResult>,
    /// Share of images, left out of the fit one at a time, that the attribute's score puts on the right side.
    pub attribute_accuracy: Option<f64>,
    pub sheet: Option<ShownPath>,
}

impl Results {
    pub fn new(model: &Model, options: &Options, lpips_network: &str) -> Self {
        Self {
            model: model.name.clone(),
            layers: options.layers.to_string(),
            lpips_network: lpips_network.to_owned(),
            basis: None,
            edits: Vec::new(),
            components: Vec::new(),
            ranking: Vec::new(),
            attribute_accuracy: None,
            sheet: None,
        }
    }
}

/// A picture of a strip.
#[derive(Serialize)]
pub struct EditResult {
    pub latent: String,
    pub edit: Option<String>,
    pub component: Option<usize>,
    pub layers: Option<String>,
    /// In standard deviations.
    pub strength: Option<f64>,
    /// Other edits that it has.
    pub fixed: BTreeMap<String, f64>,
    /// From the same latent with strength 0.
    pub lpips: f64,
    /// Mean for steps of the same length in random directions.
    pub random_lpips: Option<f64>,
    pub file: ShownPath,
    pub row: usize,
    pub column: usize,
}

#[derive(Serialize)]
pub struct ComponentResult {
    pub component: usize,
    /// In W.
    pub stdev: f64,
    pub explained_variance_ratio: f64,
    /// Root of LPIPS for one standard deviation.
    pub movement: f64,
    /// The same for steps of the same length in a random direction.
    pub random_movement: f64,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum RankingResult {
    /// Measured by edits.
    Effect {
        component: usize,
        strength: f64,
        consistency: f64,
        movement: f64,
        exclusivity: f64,
    },
    /// Seen in samples.
    Association {
        component: usize,
        correlation: f64,
        exclusivity: f64,
    },
}

impl From<Effect> for RankingResult {
    fn from(effect: Effect) -> Self {
        Self::Effect {
            component: effect.component,
            strength: effect.strength,
            consistency: effect.consistency,
            movement: effect.movement,
            exclusivity: effect.exclusivity,
        }
    }
}

impl From<Association> for RankingResult {
    fn from(association: Association) -> Self {
        Self::Association {
            component: association.component,
            correlation: association.correlation,
            exclusivity: association.exclusivity,
        }
    }
}

pub fn print_components(components: &[ComponentResult]) {
    let header = [
        "component",
        "stdev in W",
        "variance %",
        "sqrt LPIPS per stdev",
        "random direction",
    ];
    let rows: Vec<Vec<String>> = components
        .iter()
        .map(|c| {
            vec![
                c.component.to_string(),
                format!("{:.3}", c.stdev),
                format!("{:.1}", 100.0 * c.explained_variance_ratio),
                format!("{:.4}", c.movement),
                format!("{:.4}", c.random_movement),
            ]
        })
        .collect();
    table::print(&header, &rows);
}

pub fn print_effects(effects: &[Effect]) {
    let header = [
        "component",
        "strength",
        "consistency",
        "sqrt LPIPS per stdev",
        "exclusivity",
    ];
    let rows: Vec<Vec<String>> = effects
        .iter()
        .map(|effect| {
            vec![
                effect.component.to_string(),
                format!("{:+.3}", effect.strength),
                format!("{:.2}", effect.consistency),
                format!("{:.4}", effect.movement),
                format!("{:.2}", effect.exclusivity),
            ]
        })
        .collect();
    table::print(&header, &rows);
    println!(
        "strength: standard deviations of the attribute for one of the component; exclusivity: what the attribute moves for what the image \
         moves, 1 for random directions"
    );
}

pub fn print_associations(associations: &[Association], samples: usize) {
    let rows: Vec<Vec<String>> = associations
        .iter()
        .map(|association| {
            vec![
                association.component.to_string(),
                format!("{:+.3}", association.correlation),
                format!("{:.2}", association.exclusivity),
            ]
        })
        .collect();
    table::print(&["component", "correlation", "exclusivity"], &rows);
    println!(
        "by chance a correlation over {samples} samples is within {:.2} of 0 in 95 of 100 cases",
        2.0 / (samples as f64).sqrt()
    );
}

/// Means over the latents, for each strength.
pub fn print_strips(rows: &[Vec<Edited>]) {
    let mean = |column: usize, value: fn(&Edited) -> f64| {
        rows.iter().map(|row| value(&row[column])).sum::<f64>() / rows.len() as f64
    };
    let columns = rows.first().map_or(0, Vec::len);
    let table: Vec<Vec<String>> = (0..columns)
        .map(|column| {
            let edited = &rows[0][column];
            vec![
                match edited.strength {
                    Some(strength) => format!("{strength:+.2}"),
                    None if column == 0 => "before".to_owned(),
                    None => "after".to_owned(),
                },
                format!("{:.4}", mean(column, |edited| edited.lpips)),
                edited.random_lpips.map_or("-".to_owned(), |_| {
                    format!(
                        "{:.4}",
                        mean(column, |edited| edited.random_lpips.unwrap_or(f64::NAN))
                    )
                }),
            ]
        })
        .collect();
    table::print(&["strength", "LPIPS", "random direction"], &table);
}
