//! Accuracy on images that did not choose the settings: the best settings of one half of the images, measured on the
//! other half, and the other way round.
//!
//! With many choices of dimension and ridge, the best of them on some images is better on these than it is on others.
//! Cross-fitting takes that out: each image is ranked with settings that other images chose, and every image counts
//! once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::statistics::{Bootstrap, Interval};

/// What an index is made with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Principal components that features are projected on.
    pub dimension: usize,
    /// Added to the covariance's diagonal; only the density has one.
    pub ridge: f64,
}

/// A method's accuracy on images that did not choose its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CrossFitted {
    /// How models are scored.
    pub method: String,
    /// What the images at odd positions chose, for those at even ones, and the other way round.
    pub settings: [Settings; 2],
    /// Share of images whose model comes first, with an interval of 95 %.
    pub top_1: Interval,
    /// Mean average precision among the first five, with an interval of 95 %.
    pub map_5: Interval,
    /// How much larger the first method's share of images whose model comes first is, pairwise, with an interval of 95
    /// %; none for the first method itself.
    pub first_is_better_by: Option<Interval>,
}

/// What one choice of settings does for each image, in one order of images for all choices.
pub(super) struct Choice {
    pub method: &'static str,
    pub settings: Settings,
    /// 1 where the image's model comes first, else 0.
    pub top_1: Vec<f64>,
    pub average_precision_5: Vec<f64>,
}

const BOOTSTRAP: Bootstrap = Bootstrap {
    resamples: 10_000,
    seed: 0,
};

/// Of all methods, in the order of their first choices. `expected` is the model of each image. Models with fewer than
/// two images are left out, as one half would have none of it; nothing is found where no model is left.
pub(super) fn cross_fitted(choices: &[Choice], expected: &[String]) -> Vec<CrossFitted> {
    let strata = strata(expected);
    if strata.is_empty() {
        return Vec::new();
    }
    let halves: [Vec<usize>; 2] = [0, 1].map(|half| {
        let every_second = |images: &Vec<usize>| -> Vec<usize> {
            images.iter().skip(half).step_by(2).copied().collect()
        };
        strata.iter().flat_map(every_second).collect()
    });
    let mut methods: Vec<&'static str> = Vec::new();
    for choice in choices {
        if !methods.contains(&choice.method) {
            methods.push(choice.method);
        }
    }
    let mut first: Option<Vec<Vec<f64>>> = None;
    let mut found = Vec::new();
    for method in methods {
        let of_method: Vec<&Choice> = choices.iter().filter(|c| c.method == method).collect();
        let [Some(by_even), Some(by_odd)] = halves.each_ref().map(|half| best(&of_method, half))
        else {
            continue;
        };
        let measured = |values: fn(&Choice) -> &Vec<f64>| -> Vec<Vec<f64>> {
            let of_image = |(position, image): (usize, &usize)| {
                let other = if position % 2 == 0 { by_odd } else { by_even };
                values(other)[*image]
            };
            let of_model = |images: &Vec<usize>| images.iter().enumerate().map(of_image).collect();
            strata.iter().map(of_model).collect()
        };
        let top_1 = measured(|choice| &choice.top_1);
        let map_5 = measured(|choice| &choice.average_precision_5);
        let (Some(top_1_interval), Some(map_5)) =
            (BOOTSTRAP.interval(&top_1), BOOTSTRAP.interval(&map_5))
        else {
            continue;
        };
        let first_is_better_by = first
            .as_ref()
            .and_then(|first| BOOTSTRAP.interval(&differences(first, &top_1)));
        found.push(CrossFitted {
            method: method.to_owned(),
            settings: [by_odd.settings, by_even.settings],
            top_1: top_1_interval,
            map_5,
            first_is_better_by,
        });
        first.get_or_insert(top_1);
    }
    found
}

/// Positions of the images of each model that has at least two.
fn strata(expected: &[String]) -> Vec<Vec<usize>> {
    let mut models: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (image, model) in expected.iter().enumerate() {
        models.entry(model).or_default().push(image);
    }
    models.into_values().filter(|m| m.len() > 1).collect()
}

/// The choice that finds most models of these images first; of equals the one with the higher average precision, and of
/// these the earliest.
fn best<'a>(choices: &[&'a Choice], images: &[usize]) -> Option<&'a Choice> {
    let sum = |values: &[f64]| images.iter().map(|image| values[*image]).sum::<f64>();
    let score = |choice: &Choice| (sum(&choice.top_1), sum(&choice.average_precision_5));
    choices.iter().copied().reduce(|best, choice| {
        if score(choice) > score(best) {
            choice
        } else {
            best
        }
    })
}

fn differences(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn choice(method: &'static str, dimension: usize, top_1: &[f64]) -> Choice {
        Choice {
            method,
            settings: Settings {
                dimension,
                ridge: 0.0,
            },
            top_1: top_1.to_vec(),
            average_precision_5: top_1.iter().map(|v| 0.5 + 0.5 * v).collect(),
        }
    }

    fn models(of_images: &str) -> Vec<String> {
        of_images.chars().map(String::from).collect()
    }

    #[test]
    fn settings_that_only_suit_the_images_that_chose_them_gain_nothing() {
        // The first choice is right on even positions only, the second on odd ones only: each half chooses what fails
        // on the other.
        let even = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let odd = even.map(|value| 1.0 - value);
        let choices = [choice("a", 1, &even), choice("a", 2, &odd)];
        let found = &cross_fitted(&choices, &models("xxxxyyyy"))[0];
        assert_eq!(found.top_1.mean, 0.0);
        assert_eq!(found.map_5.mean, 0.5);
        // Even positions are measured with what odd ones chose.
        assert_eq!(found.settings.map(|s| s.dimension), [2, 1]);
    }

    #[test]
    fn one_choice_is_measured_on_every_image_once() {
        let values = [1.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let found = &cross_fitted(&[choice("a", 1, &values)], &models("xyxyxy"))[0];
        assert_eq!(found.top_1.mean, 0.5);
        assert!(found.top_1.low < 0.5 && found.top_1.high > 0.5, "{found:?}");
        assert_eq!(found.first_is_better_by, None);
    }

    #[test]
    fn positions_count_within_a_model_however_the_images_are_ordered() {
        // By position in all images, x would be even and y odd; within each, both have both halves.
        let even_within = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let odd_within = even_within.map(|value| 1.0 - value);
        let choices = [choice("a", 1, &even_within), choice("a", 2, &odd_within)];
        assert_eq!(
            cross_fitted(&choices, &models("xyxyxyxy"))[0].top_1.mean,
            0.0
        );
    }

    #[test]
    fn methods_are_compared_on_the_same_images() {
        // b fails on one image where a does not: 1 of 8 whatever is drawn of the rest.
        let a = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let b = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = cross_fitted(
            &[choice("a", 1, &a), choice("b", 1, &b)],
            &models("xxxxyyyy"),
        );
        let better = found[1].first_is_better_by.unwrap();
        assert_eq!((better.mean, better.low), (0.125, 0.0));
        // At most 3 of the 4 draws of x are of that image for 97.5 %: P(4) is 0.4 %, P(3 or 4) 5.1 %.
        assert_eq!(better.high, 0.375);
    }

    #[test]
    fn ties_are_broken_by_average_precision_and_single_images_are_left_out() {
        let values = [0.0; 4];
        let mut better = choice("a", 2, &values);
        better.average_precision_5 = vec![0.9; 4];
        let choices = [choice("a", 1, &values), better, choice("a", 3, &values)];
        let found = &cross_fitted(&choices, &models("xxyy"))[0];
        assert_eq!(found.settings.map(|s| s.dimension), [2, 2]);
        assert!(cross_fitted(&choices, &models("wxyz")).is_empty());
    }
}
