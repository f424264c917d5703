//! Named edits shown on held-out images.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use burn::tensor::Device;
use ganspace::EditBook;
use image_tensor::{RgbImage, decode_file, from_signed_unit, write_png};
use model_zoo::{Card, Zoo};
use ndarray::Array2;

use super::page::replace_section;
use super::{EndEffect, Ends, Options, run};
use crate::edit::{self, Bases, Channel, RegionColor};
use crate::invert::Settings;
use crate::rendering::render;
use crate::small_model::{metric, model};
use crate::{Context, Weights};

/// Few samples are enough for a small model.
fn edit_options() -> edit::Options {
    edit::Options {
        samples: Some(300),
        ..edit::Options::default()
    }
}

#[test]
fn ends_are_measured_as_they_are_rendered() {
    let device = Device::flex();
    let model = model(Path::new(""), &device);
    let mut bases = Bases::new(&model, None, &device);
    let options = edit_options();
    let basis = options.basis(model.generator.mapping.w_dim());
    let directions = bases.directions(&basis, &mut ()).unwrap();
    let edit = directions.edit(0, options.layers).unwrap();
    let metric = metric(&device);
    let latent = Array2::zeros((
        model.generator.synthesis.num_ws(),
        model.generator.mapping.w_dim(),
    ));
    let color = |text: &str| text.parse::<RegionColor>().unwrap();
    let measure = |range, attribute: &str| {
        let ends = Ends {
            model: &model,
            metric: &metric,
            device: &device,
            range,
            attribute: Some(color(attribute)),
            scale: Some(0.5),
        };
        ends.measure(&latent.clone().into(), std::slice::from_ref(&edit))
            .unwrap()
            .remove(0)
    };
    // Equal images, up to LPIPS' rounding.
    const NOTHING: f64 = 1e-6;
    let still = measure([0.0, 0.0], "red 0,0,1,1");
    assert_eq!(still.change, Some(0.0));
    assert!(still.lpips < NOTHING);

    let attribute = "luminance 0,0,0.5,1";
    let found = measure([-2.0, 3.0], attribute);
    let value = |strength: f64| {
        let mut latent = latent.clone();
        edit.apply(&mut latent, strength).unwrap();
        let images = from_signed_unit(render(&model, &[latent], &device).unwrap());
        color(attribute).of(&images[0])
    };
    let expected = value(3.0) - value(-2.0);
    assert!(expected != 0.0);
    // A batch of two and two batches of one may differ in a rounded pixel of some hundred.
    assert!((found.change.unwrap() - expected).abs() < 1e-4, "{found:?}");
    assert!((found.change_in_stdevs.unwrap() - expected / 0.5).abs() < 2e-4);
    let rest = found.rest_lpips.unwrap();
    assert!(rest > NOTHING && found.lpips > NOTHING);
    // With everything put back, nothing of the rest has changed.
    let whole = measure([-2.0, 3.0], "luminance 0,0,1,1");
    assert!(whole.rest_lpips.unwrap() < NOTHING);
    assert_eq!(whole.lpips, found.lpips);
}

#[test]
fn changes_at_random_do_not_cancel() {
    let effect = |change| EndEffect {
        change: Some(change),
        change_in_stdevs: None,
        lpips: 0.5,
        rest_lpips: Some(0.25),
    };
    let both = [effect(2.0), effect(-1.0)];
    assert_eq!(EndEffect::mean(&both, false).change, Some(0.5));
    let unsigned = EndEffect::mean(&both, true);
    assert_eq!(unsigned.change, Some(1.5));
    assert_eq!(
        (
            unsigned.lpips,
            unsigned.rest_lpips,
            unsigned.change_in_stdevs
        ),
        (0.5, Some(0.25), None)
    );
}

#[test]
fn only_the_section_of_the_edits_is_replaced() {
    let text = "# Mine\n\n<!-- edits: written by `edit --gallery` -->\nold\n<!-- end of the edits -->\n\nBye\n";
    let once = replace_section(text, "new\n").unwrap();
    assert_eq!(
        once,
        "# Mine\n\n<!-- edits: written by `edit --gallery` -->\n\nnew\n\n<!-- end of the edits -->\n\nBye\n"
    );
    assert_eq!(replace_section(&once, "new\n").unwrap(), once);
    let error = replace_section("# Mine\n", "new").unwrap_err();
    assert!(error.contains("end of the edits"), "{error}");
}

#[test]
fn a_gallery_shows_every_named_edit_with_its_numbers_and_credit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let device = Device::flex();
    let weights = weights(folder, &device);
    let context = Context::new(device.clone()).with_weights(weights.root());
    let page = folder.join("docs/gallery.md");
    let shown = Options {
        file: page.clone(),
        images: 1,
        trials: 4,
        random: 2,
        inversion: Settings {
            steps: 2,
            ..Settings::default()
        },
        ..Options::default()
    };
    let write = || run(&shown, &context, &mut ());
    let error = write().unwrap_err().to_string();
    assert!(error.contains("no model has named edits"), "{error}");

    let made = edit::Options {
        model: "small".to_owned(),
        out: Some(folder.join("out")),
        direction: Some(1),
        strength: vec![-2.0, 3.0],
        region: Some("0,0,1,0.5".parse().unwrap()),
        channel: Channel::Blue,
        save: Some("sky".to_owned()),
        description: "from grey to blue".to_owned(),
        ..edit_options()
    };
    let outcome = edit::run(&made, &context, &mut ()).unwrap();
    let book = outcome.saved.unwrap();
    let kept = EditBook::load(&book).unwrap();
    assert_eq!(kept.get("sky").unwrap().attribute, "blue 0,0,1,0.5");
    write().unwrap();
    let text = std::fs::read_to_string(&page).unwrap();
    for part in [
        "### small: sky, from grey to blue",
        "(images/gallery/small-sky.png)",
        "strengths -2 to 3",
        "[Set](https://example.org) by A. Nobody (CC-BY-4.0)",
        "--model small --edit sky --image weights/queries/small/0.png",
        "| small | sky | blue 0,0,1,0.5 | ",
        "Means over the images shown.",
    ] {
        assert!(text.contains(part), "{text}: no {part}");
    }
    let picture = folder.join("docs/images/gallery/small-sky.png");
    let size = decode_file(picture, &Default::default())
        .unwrap()
        .dimensions();
    // The held-out image and seven strengths, enlarged to 128 pixels, with 2 around each.
    assert_eq!(size, (8 * 128 + 9 * 2, 128 + 2 * 2));

    // What is measured is not what is shown, as soon as there is another image.
    let numbers = |text: &str| {
        let row = text
            .lines()
            .find(|line| line.starts_with("| small | sky |"));
        row.expect("a row of the table").to_owned()
    };
    let other = RgbImage::from_pixel(32, 32, image_tensor::Rgb([240, 20, 10]));
    write_png(folder.join("weights/queries/small/1.png"), &other).unwrap();
    write().unwrap();
    let again = std::fs::read_to_string(&page).unwrap();
    assert!(
        again.contains("Means over 1 further held-out image of each model"),
        "{again}"
    );
    assert!(!again.contains("queries/small/1.png"), "{again}");
    assert_ne!(numbers(&again), numbers(&text));

    // An attribute that nobody can measure is named.
    let damaged = kept.to_toml().replace("blue 0,0,1,0.5", "blue somewhere");
    std::fs::write(&book, damaged).unwrap();
    let error = write().unwrap_err().to_string();
    assert!(error.contains("\"sky\" of small"), "{error}");
}

/// A weights folder with the model `small` and one held-out image.
fn weights(folder: &Path, device: &Device) -> Weights {
    let root = folder.join("weights");
    let mut card = Card::new("small", "CC-BY-4.0");
    card.further = toml::from_str(
        "[art]\ntitle = \"Set\"\nartist = \"A. Nobody\"\nsource = \"https://example.org\"",
    )
    .unwrap();
    Zoo::create(root.join("zoo"))
        .unwrap()
        .add("small", &model(folder, device).generator, &card)
        .unwrap();
    let queries = root.join("queries/small");
    std::fs::create_dir_all(&queries).unwrap();
    let image = RgbImage::from_pixel(32, 32, image_tensor::Rgb([9, 99, 200]));
    write_png(queries.join("0.png"), &image).unwrap();
    std::fs::create_dir_all(root.join("features")).unwrap();
    let features = Weights::open(None).unwrap().features();
    for file in ["alexnet.safetensors", "lpips_v0.1_alex.safetensors"] {
        std::fs::copy(features.join(file), root.join("features").join(file)).unwrap();
    }
    Weights::open(Some(&root)).unwrap()
}
