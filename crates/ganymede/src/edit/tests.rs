//! Directions, named edits and strips of a model with random weights.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use burn::tensor::Device;
use ganspace::{Basis, Edit, EditBook, GanspaceError, LayerRange};
use image_tensor::from_signed_unit;
use ndarray::{Array2, array};
use stylegan2::RandomState;

use super::attribute::Attribute;
use super::plan::{self, Plan};
use super::strip::Strips;
use super::trials::{STRENGTH, Trials};
use super::{Bases, Options, RegionColor, mixtures, proposals};
use crate::invert::Settings;
use crate::latents::{FoundLatent, LatentSettings, LatentSource, without_offsets};
use crate::rendering::{distances, render};
use crate::small_model::{metric, model};
use crate::{Context, Error, Model, Observer, Warning};

fn options() -> Options {
    Options {
        samples: Some(300),
        ..Options::default()
    }
}

fn basis(space: &str) -> Basis {
    Basis {
        space: space.into(),
        samples: 300,
        components: 3,
        seed: 5,
    }
}

#[test]
fn directions_are_unit_repeatable_and_spread_the_latents() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    // b4 has exact components of activations, b32 incremental ones.
    for space in ["w", "b4", "b32"] {
        let first = Bases::new(&model, None, &device)
            .directions(&basis(space), &mut ())
            .unwrap();
        for row in first.directions().rows() {
            assert!((row.dot(&row) - 1.0).abs() < 1e-9, "{space}");
        }
        assert!(first.stdev().iter().all(|stdev| *stdev > 0.0), "{space}");
        let ratio = first.explained_variance_ratio();
        assert!(
            ratio[0] >= ratio[1] && ratio.sum() <= 1.0 + 1e-9,
            "{space}: {ratio}"
        );
        let mut bases = Bases::new(&model, None, &device);
        assert_eq!(
            bases.directions(&basis(space), &mut ()).unwrap(),
            first,
            "{space}"
        );
        let other = Basis {
            seed: 6,
            ..basis(space)
        };
        assert_ne!(bases.directions(&other, &mut ()).unwrap(), first, "{space}");
    }
    let mut bases = Bases::new(&model, None, &device);
    for space in ["b2", "b7", "b64"] {
        let error = bases
            .directions(&basis(space), &mut ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("b4 to b32"), "{error}");
    }
}

#[test]
fn trials_measure_each_edit_on_each_latent_in_any_batch() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let directions = Bases::new(&model, None, &device)
        .directions(&basis("b32"), &mut ())
        .unwrap();
    let edits: Vec<Edit> = (0..3)
        .map(|component| directions.edit(component, "2-6".parse().unwrap()).unwrap())
        .collect();
    let latents = seeds(&model, &device, &[0, 1]);
    let metric = metric(&device);
    let trials = |batch| {
        let trials = Trials {
            model: &model,
            latents: &latents,
            metric: &metric,
            attributes: &[],
            batch,
            device: &device,
        };
        trials.measure(&edits, "edits", &mut ()).unwrap().movement
    };
    let found = [1, 4, 32].map(trials);
    for (sample, latent) in latents.iter().enumerate() {
        for (component, edit) in edits.iter().enumerate() {
            let [minus, plus] = [-STRENGTH, STRENGTH].map(|strength| {
                let mut latent = latent.clone();
                edit.apply(&mut latent, strength).unwrap();
                render(&model, &[latent], &device).unwrap()
            });
            let expected = distances(&metric, minus, plus).unwrap()[0].sqrt();
            for movement in &found {
                let found = movement[[sample, component]];
                // Sums of a batch are split among threads as its size allows.
                assert!(
                    (found - expected).abs() < 1e-3 * expected,
                    "{found}, {expected}"
                );
            }
        }
    }
}

#[test]
fn trials_measure_the_color_of_a_region() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let edit = Bases::new(&model, None, &device)
        .directions(&basis("w"), &mut ())
        .unwrap()
        .edit(0, LayerRange::ALL)
        .unwrap();
    let latents = seeds(&model, &device, &[0]);
    let color: RegionColor = "warmth 0.25,0.25,0.75,1".parse().unwrap();
    let attributes = [Attribute::Region(color)];
    let trials = Trials {
        model: &model,
        latents: &latents,
        metric: &metric(&device),
        attributes: &attributes,
        batch: 4,
        device: &device,
    };
    let found = trials
        .measure(std::slice::from_ref(&edit), "edits", &mut ())
        .unwrap()
        .of_one()
        .score_change[[0, 0]];
    let ends = [-STRENGTH, STRENGTH].map(|strength| {
        let mut latent = latents[0].clone();
        edit.apply(&mut latent, strength).unwrap();
        latent
    });
    let images = from_signed_unit(render(&model, &ends, &device).unwrap());
    let expected = color.of(&images[1]) - color.of(&images[0]);
    assert!(expected != 0.0 && found == expected, "{found}, {expected}");
}

#[test]
fn products_of_edits_are_what_they_do_together() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let directions = Bases::new(&model, None, &device)
        .directions(&basis("w"), &mut ())
        .unwrap();
    let edit = directions.edit(0, LayerRange::ALL).unwrap();
    // The same step, backwards, and another one.
    let back = directions
        .mixture(array![-1.0].view(), LayerRange::ALL)
        .unwrap();
    let other = directions.edit(1, LayerRange::ALL).unwrap();
    let latents = seeds(&model, &device, &[0, 1]);
    let color: RegionColor = "luminance 0.25,0.25,0.75,1".parse().unwrap();
    let metric = metric(&device);
    let attributes = [Attribute::Region(color)];
    let trials = |batch| Trials {
        model: &model,
        latents: &latents,
        metric: &metric,
        attributes: &attributes,
        batch,
        device: &device,
    };
    let edits = [edit.clone(), back, other];
    let found = trials(8).products(&edits, "products", &mut ()).unwrap();
    let mut expected = (0.0, 0.0);
    for latent in &latents {
        let ends = [-1.0, 1.0].map(|strength| {
            let mut latent = latent.clone();
            edit.apply(&mut latent, strength).unwrap();
            latent
        });
        let images = render(&model, &ends, &device).unwrap();
        let [minus, plus] = [0, 1].map(|side| images.clone().narrow(0, side, 1));
        expected.0 += distances(&metric, minus, plus).unwrap()[0] / (4.0 * 2.0);
        let images = from_signed_unit(images);
        expected.1 += (color.of(&images[1]) - color.of(&images[0])) / (2.0 * 2.0);
    }
    let near = |found: f64, expected: f64| {
        // Sums of some ten thousand products in f32, in other orders.
        assert!(
            (found - expected).abs() <= 1e-3 * expected.abs(),
            "{found}, {expected}"
        );
    };
    let products = &found.side_effects;
    near(products[[0, 0]], expected.0);
    near(products[[0, 1]], -expected.0);
    near(products[[1, 2]], -products[[0, 2]]);
    near(found.score_changes[[0, 0]], expected.1);
    near(found.score_changes[[0, 1]], -expected.1);
    // However few pass the generator at a time.
    let again = trials(2).products(&edits, "products", &mut ()).unwrap();
    for (found, again) in products.iter().zip(&again.side_effects) {
        assert!(
            (found - again).abs() <= 1e-3 * expected.0,
            "{found}, {again}"
        );
    }
}

#[test]
fn mixtures_are_clear_and_no_two_alike() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let directions = Bases::new(&model, None, &device)
        .directions(&basis("w"), &mut ())
        .unwrap();
    let edits: Vec<Edit> = (0..3)
        .map(|component| directions.edit(component, LayerRange::ALL).unwrap())
        .collect();
    let metric = metric(&device);
    let attributes = proposals::attributes();
    let (shown, others) = (
        seeds(&model, &device, &[0, 1, 2, 3]),
        seeds(&model, &device, &[4, 5, 6, 7]),
    );
    let trials = |latents| Trials {
        model: &model,
        latents,
        metric: &metric,
        attributes: &attributes,
        batch: 8,
        device: &device,
    };
    let products = trials(&others[..])
        .products(&edits, "products", &mut ())
        .unwrap();
    let trials = trials(&shown[..]);
    let mut random = RandomState::new(0);
    let random: Vec<Edit> = edits
        .iter()
        .map(|edit| edit.in_random_direction(|| random.standard_normal()))
        .collect();
    let comparison = mixtures::Comparison {
        trials: &trials,
        scores: &trials.scores().unwrap(),
        at_random: &trials.measure(&random, "random", &mut ()).unwrap(),
    };
    let found = mixtures::propose(
        &products,
        &directions,
        LayerRange::ALL,
        &comparison,
        &mut (),
    )
    .unwrap();
    assert!(!found.is_empty());
    let ranks = found.iter().map(|m| m.strength.abs() * m.exclusivity);
    assert!(ranks.is_sorted_by(|a, b| a >= b));
    let steps: Vec<Edit> = found
        .iter()
        .map(|mixture| {
            let weights = ndarray::ArrayView1::from(&mixture.weights);
            // Rounded to four decimals.
            assert!((weights.dot(&weights) - 1.0).abs() < 1e-3);
            assert!(mixture.consistency >= 0.8 && mixture.exclusivity >= 1.5);
            directions.mixture(weights, LayerRange::ALL).unwrap()
        })
        .collect();
    for (index, step) in steps.iter().enumerate() {
        for other in &steps[..index] {
            assert!(step.direction().dot(other.direction()).abs() < 0.8);
        }
    }
}

#[test]
fn a_mixture_is_saved_with_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let model = model(folder.path(), &device);
    let mut bases = Bases::new(&model, None, &device);
    let made = Options {
        mixture: true,
        region: Some("0,0.5,1,1".parse().unwrap()),
        strength: vec![-2.0, 2.0],
        save: Some("x".to_owned()),
        ..options()
    };
    let weights = array![0.6, 0.0, -0.8];
    let plan = Plan::new(&made, &model, Some(weights.clone()), &mut bases, &mut ()).unwrap();
    let axis = plan.axis.unwrap();
    assert_eq!((axis.label.as_str(), axis.component), ("mixture", 2));
    plan::save("x", &axis, &made, &model).unwrap();
    let used = Options {
        edit: vec!["x".parse().unwrap()],
        ..options()
    };
    let again = Plan::new(&used, &model, None, &mut bases, &mut ()).unwrap();
    let again = again.axis.unwrap();
    assert_eq!(again.edit, axis.edit);
    assert_eq!(again.mixture, weights.to_vec());
    let book = EditBook::load(model.edits_file()).unwrap();
    assert_eq!(book.get("x").unwrap().attribute, "luminance 0,0.5,1,1");
}

#[test]
fn a_saved_edit_is_the_same_when_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let model = model(folder.path(), &device);
    let mut bases = Bases::new(&model, None, &device);
    let made = Options {
        direction: Some(2),
        layers: "2-5".parse().unwrap(),
        strength: vec![-2.0, 4.0],
        save: Some("x".to_owned()),
        ..options()
    };
    let plan = Plan::new(&made, &model, None, &mut bases, &mut ()).unwrap();
    let axis = plan.axis.unwrap();
    let file = plan::save("x", &axis, &made, &model).unwrap();
    assert_eq!(file, folder.path().join("edits.toml"));
    // A second one joins the first.
    plan::save("y", &axis, &made, &model).unwrap();

    let named = |names: &[&str]| Options {
        edit: names.iter().map(|name| name.parse().unwrap()).collect(),
        ..options()
    };
    let used = Plan::new(&named(&["x", "y=1.5"]), &model, None, &mut bases, &mut ()).unwrap();
    let again = used.axis.unwrap();
    assert_eq!(again.edit, axis.edit);
    assert_eq!(again.strengths, [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        (used.fixed[0].strength, &used.fixed[0].edit),
        (1.5, &axis.edit)
    );

    let with_direction = Options {
        direction: Some(1),
        ..named(&["x"])
    };
    let with_layers = Options {
        layers: "1".parse().unwrap(),
        ..named(&["x"])
    };
    for (options, reason) in [
        (named(&["x", "y"]), "only one edit"),
        (with_direction, "only one edit"),
        (with_layers, "its own layers"),
        (named(&["z"]), "known: x, y"),
    ] {
        let error = Plan::new(&options, &model, None, &mut bases, &mut ()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let renamed = Model {
        name: "another".into(),
        ..model
    };
    let mut bases = Bases::new(&renamed, None, &device);
    let error = Plan::new(&named(&["x"]), &renamed, None, &mut bases, &mut ()).unwrap_err();
    assert!(matches!(
        error,
        Error::Ganspace(GanspaceError::WrongModel { .. })
    ));
}

#[test]
fn a_strip_goes_further_with_strength_and_nowhere_at_0() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let mut bases = Bases::new(&model, None, &device);
    let options = Options {
        direction: Some(0),
        strength: vec![0.0, 1.0, 3.0],
        ..options()
    };
    let plan = Plan::new(&options, &model, None, &mut bases, &mut ()).unwrap();
    let metric = metric(&device);
    let strips = Strips {
        model: &model,
        metric: &metric,
        batch: 2,
        device: &device,
        random: 3,
        seed: 0,
    };
    let latents = seeds(&model, &device, &[4, 9]).into_iter();
    let latents: Vec<FoundLatent> = latents.map(FoundLatent::from).collect();
    let rows = strips.render(&plan, &latents, &mut ()).unwrap();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let lpips: Vec<f64> = row.iter().map(|edited| edited.lpips).collect();
        // Equal images, up to LPIPS' rounding.
        assert!(lpips[0] < 1e-6 && row[0].random_lpips.unwrap() < 1e-6);
        assert!(lpips[0] < lpips[1] && lpips[1] < lpips[2], "{lpips:?}");
    }
    assert_ne!(rows[0][0].image, rows[1][0].image);
}

fn seeds(model: &Model, device: &Device, seeds: &[u32]) -> Vec<Array2<f32>> {
    let metric = metric(device);
    let sources: Vec<LatentSource> = seeds.iter().copied().map(LatentSource::Seed).collect();
    LatentSettings {
        truncation_psi: 1.0,
        class: None,
        inversion: &Settings::default(),
        seed: 0,
        context: &Context::new(device.clone()),
        metric: &metric,
    }
    .load(&sources, model, &mut ())
    .map(without_offsets)
    .unwrap()
}

/// Keeps warnings, and ends the work at its first position.
#[derive(Default)]
struct Impatient {
    done: u64,
    warnings: Vec<Warning>,
}

impl Observer for Impatient {
    fn position(&mut self, done: u64) {
        self.done = done;
    }
    fn warn(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }
    fn cancelled(&self) -> bool {
        self.done > 0
    }
}

#[test]
fn few_samples_are_warned_of_and_directions_end_early() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let mut bases = Bases::new(&model, None, &device);
    let options = Options {
        samples: Some(70),
        ..Options::default()
    };
    let mut heard = Impatient::default();
    Plan::new(&options, &model, None, &mut bases, &mut heard).unwrap();
    let few = Warning::FewSamples {
        samples: 70,
        components: 8,
        wanted: 80,
    };
    assert_eq!(heard.warnings, [few]);
    // One batch of latents is whole before anyone is asked again; the second is not made.
    let mut impatient = Impatient::default();
    let error = bases.directions(&basis("w"), &mut impatient).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(impatient.done, 256);
}
