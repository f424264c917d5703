//! Directions, named edits and strips of a model with random weights.

use std::path::Path;

use burn::tensor::Device;
use clap::Parser;
use ganspace::{Basis, Edit, GanspaceError, LayerRange};
use image_tensor::from_signed_unit;
use ndarray::Array2;

use crate::attribute::Attribute;
use crate::options::Options;
use crate::plan::{self, Plan};
use crate::region::RegionColour;
use crate::strip::Strips;
use crate::trials::{STRENGTH, Trials};
use examples::bases::Bases;
use examples::interrupt::Interrupt;
use examples::latents::{LatentSettings, LatentSource};
use examples::rendering::{distances, render};
use examples::small_model::{metric, model};
use ganymede::Model;

fn options(arguments: &[&str]) -> Options {
    Options::try_parse_from([&["edit", "--samples", "300"], arguments].concat()).unwrap()
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
    let (device, interrupt) = (Device::flex(), Interrupt::default());
    let model = model(Path::new(""), &device);
    // b4 has exact components of activations, b32 incremental ones.
    for space in ["w", "b4", "b32"] {
        let first = Bases::new(&model, None, &device, &interrupt)
            .directions(&basis(space))
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
        let mut bases = Bases::new(&model, None, &device, &interrupt);
        assert_eq!(bases.directions(&basis(space)).unwrap(), first, "{space}");
        let other = Basis {
            seed: 6,
            ..basis(space)
        };
        assert_ne!(bases.directions(&other).unwrap(), first, "{space}");
    }
    let mut bases = Bases::new(&model, None, &device, &interrupt);
    for space in ["b2", "b7", "b64"] {
        let error = bases.directions(&basis(space)).unwrap_err().to_string();
        assert!(error.contains("b4 to b32"), "{error}");
    }
}

#[test]
fn trials_measure_each_edit_on_each_latent_in_any_batch() {
    let (device, interrupt) = (Device::flex(), Interrupt::default());
    let model = model(Path::new(""), &device);
    let directions = Bases::new(&model, None, &device, &interrupt)
        .directions(&basis("b32"))
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
            attribute: None,
            batch,
            device: &device,
            interrupt: &interrupt,
        };
        trials.measure(&edits, "edits").unwrap().movement
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
fn trials_measure_the_colour_of_a_region() {
    let (device, interrupt) = (Device::flex(), Interrupt::default());
    let model = model(Path::new(""), &device);
    let edit = Bases::new(&model, None, &device, &interrupt)
        .directions(&basis("w"))
        .unwrap()
        .edit(0, LayerRange::ALL)
        .unwrap();
    let latents = seeds(&model, &device, &[0]);
    let colour: RegionColour = "warmth 0.25,0.25,0.75,1".parse().unwrap();
    let attribute = Attribute::Region(colour);
    let trials = Trials {
        model: &model,
        latents: &latents,
        metric: &metric(&device),
        attribute: Some(&attribute),
        batch: 4,
        device: &device,
        interrupt: &interrupt,
    };
    let found = trials
        .measure(std::slice::from_ref(&edit), "edits")
        .unwrap()
        .score_change[[0, 0]];
    let ends = [-STRENGTH, STRENGTH].map(|strength| {
        let mut latent = latents[0].clone();
        edit.apply(&mut latent, strength).unwrap();
        latent
    });
    let images = from_signed_unit(render(&model, &ends, &device).unwrap());
    let expected = colour.of(&images[1]) - colour.of(&images[0]);
    assert!(expected != 0.0 && found == expected, "{found}, {expected}");
}

#[test]
fn a_saved_edit_is_the_same_when_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (device, interrupt) = (Device::flex(), Interrupt::default());
    let model = model(folder.path(), &device);
    let mut bases = Bases::new(&model, None, &device, &interrupt);
    let made = options(&[
        "--direction",
        "2",
        "--layers",
        "2-5",
        "--strength",
        "-2",
        "4",
        "--save",
        "x",
    ]);
    let plan = Plan::new(&made, &model, &mut bases).unwrap();
    let axis = plan.axis.unwrap();
    let file = plan::save("x", &axis, &made, &model).unwrap();
    assert_eq!(file, folder.path().join("edits.toml"));
    // A second one joins the first.
    plan::save("y", &axis, &made, &model).unwrap();

    let used = Plan::new(&options(&["--edit", "x", "y=1.5"]), &model, &mut bases).unwrap();
    let again = used.axis.unwrap();
    assert_eq!(again.edit, axis.edit);
    assert_eq!(again.strengths, [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        (used.fixed[0].strength, &used.fixed[0].edit),
        (1.5, &axis.edit)
    );

    for (arguments, reason) in [
        (&["--edit", "x", "y"][..], "only one edit"),
        (&["--edit", "x", "--direction", "1"], "only one edit"),
        (&["--edit", "x", "--layers", "1"], "its own layers"),
        (&["--edit", "z"], "known: x, y"),
    ] {
        let error = Plan::new(&options(arguments), &model, &mut bases).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let renamed = Model {
        name: "another".into(),
        ..model
    };
    let mut bases = Bases::new(&renamed, None, &device, &interrupt);
    let error = Plan::new(&options(&["--edit", "x"]), &renamed, &mut bases).unwrap_err();
    assert!(matches!(
        error.downcast_ref::<GanspaceError>(),
        Some(GanspaceError::WrongModel { .. })
    ));
}

#[test]
fn a_strip_goes_further_with_strength_and_nowhere_at_0() {
    let (device, interrupt) = (Device::flex(), Interrupt::default());
    let model = model(Path::new(""), &device);
    let mut bases = Bases::new(&model, None, &device, &interrupt);
    let options = options(&["--direction", "0", "--strength", "0", "1", "3"]);
    let plan = Plan::new(&options, &model, &mut bases).unwrap();
    let metric = metric(&device);
    let strips = Strips {
        model: &model,
        metric: &metric,
        batch: 2,
        device: &device,
        interrupt: &interrupt,
        random: 3,
        seed: 0,
    };
    let rows = strips
        .render(&plan, &seeds(&model, &device, &[4, 9]))
        .unwrap();
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
    let options = options(&[]);
    let metric = metric(device);
    let sources: Vec<LatentSource> = seeds.iter().copied().map(LatentSource::Seed).collect();
    LatentSettings {
        truncation_psi: 1.0,
        class: None,
        inversion: &options.inversion,
        seed: 0,
        device_choice: options.common.device,
        device,
        metric: &metric,
        interrupt: &Interrupt::default(),
    }
    .load(&sources, model)
    .unwrap()
}
