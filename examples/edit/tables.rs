//! What was found, as tables.

use ganymede::edit::{ComponentResult, EditResult, Mixture, Outcome, Proposal, RankingResult};

use examples::table;

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

/// Prints which component moves what in particular.
pub fn print_proposals(proposals: &[Proposal]) {
    if proposals.is_empty() {
        println!(
            "no component moves a color of a place reliably and rather than the rest of the picture"
        );
        return;
    }
    println!("components that move something in particular, the clearest first:");
    let header = [
        "component",
        "channel and region",
        "strength",
        "consistency",
        "exclusivity",
    ];
    let rows: Vec<Vec<String>> = proposals
        .iter()
        .map(|proposal| {
            vec![
                proposal.component.to_string(),
                proposal.attribute.clone(),
                format!("{:+.3}", proposal.strength),
                format!("{:.2}", proposal.consistency),
                format!("{:.2}", proposal.exclusivity),
            ]
        })
        .collect();
    table::print(&header, &rows);
}

/// Prints which mixtures of components move what in particular.
pub fn print_mixtures(mixtures: &[Mixture]) {
    if mixtures.is_empty() {
        return;
    }
    println!(
        "mixtures of components, each found for what it moves (--mixture), the clearest first:"
    );
    let header = [
        "channel and region",
        "main component",
        "its weight",
        "strength",
        "consistency",
        "exclusivity",
    ];
    let rows: Vec<Vec<String>> = mixtures
        .iter()
        .map(|mixture| {
            let main = mixture.main_component();
            vec![
                mixture.attribute.clone(),
                main.to_string(),
                format!("{:+.2}", mixture.weights[main]),
                format!("{:+.3}", mixture.strength),
                format!("{:.2}", mixture.consistency),
                format!("{:.2}", mixture.exclusivity),
            ]
        })
        .collect();
    table::print(&header, &rows);
}

/// Prints a ranking, and how well the attribute could be told.
pub fn print_ranking(outcome: &Outcome) {
    if outcome.is_fitted {
        match outcome.attribute_accuracy {
            Some(accuracy) => println!(
                "the attribute is told from images that were left out in {:.0} % of cases; 50 % is chance",
                100.0 * accuracy
            ),
            None => println!("too few images to say how well the attribute can be told"),
        }
    }
    match outcome.ranking.first() {
        Some(RankingResult::Effect { .. }) => print_effects(&outcome.ranking),
        Some(RankingResult::Association { .. }) => {
            print_associations(&outcome.ranking, outcome.scored);
        }
        None => {}
    }
}

fn print_effects(ranking: &[RankingResult]) {
    let header = [
        "component",
        "strength",
        "consistency",
        "sqrt LPIPS per stdev",
        "exclusivity",
    ];
    let rows: Vec<Vec<String>> = ranking
        .iter()
        .filter_map(|found| match found {
            RankingResult::Effect {
                component,
                strength,
                consistency,
                movement,
                exclusivity,
            } => Some(vec![
                component.to_string(),
                format!("{strength:+.3}"),
                format!("{consistency:.2}"),
                format!("{movement:.4}"),
                format!("{exclusivity:.2}"),
            ]),
            RankingResult::Association { .. } => None,
        })
        .collect();
    table::print(&header, &rows);
    println!(
        "strength: standard deviations of the attribute for one of the component; exclusivity: what the attribute moves for what the image \
         moves, 1 for random directions"
    );
}

fn print_associations(ranking: &[RankingResult], samples: usize) {
    let rows: Vec<Vec<String>> = ranking
        .iter()
        .filter_map(|found| match found {
            RankingResult::Association {
                component,
                correlation,
                exclusivity,
            } => Some(vec![
                component.to_string(),
                format!("{correlation:+.3}"),
                format!("{exclusivity:.2}"),
            ]),
            RankingResult::Effect { .. } => None,
        })
        .collect();
    table::print(&["component", "correlation", "exclusivity"], &rows);
    println!(
        "by chance a correlation over {samples} samples is within {:.2} of 0 in 95 of 100 cases",
        2.0 / (samples as f64).sqrt()
    );
}

/// Means over the latents, for each strength.
pub fn print_strips(edits: &[EditResult]) {
    let columns = edits
        .iter()
        .map(|edited| edited.column + 1)
        .max()
        .unwrap_or(0);
    let table: Vec<Vec<String>> = (0..columns)
        .map(|column| {
            let of_column: Vec<&EditResult> = edits
                .iter()
                .filter(|edited| edited.column == column)
                .collect();
            let mean = |value: fn(&EditResult) -> f64| {
                let sum: f64 = of_column.iter().map(|edited| value(edited)).sum();
                sum / of_column.len() as f64
            };
            vec![
                match of_column[0].strength {
                    Some(strength) => format!("{strength:+.2}"),
                    None if column == 0 => "before".to_owned(),
                    None => "after".to_owned(),
                },
                format!("{:.4}", mean(|edited| edited.lpips)),
                of_column[0].random_lpips.map_or("-".to_owned(), |_| {
                    let random = mean(|edited| edited.random_lpips.unwrap_or(f64::NAN));
                    format!("{random:.4}")
                }),
            ]
        })
        .collect();
    table::print(&["strength", "LPIPS", "random direction"], &table);
}
