#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use burn::tensor::Device;
use ganspace::Easing;

use super::*;
use crate::generate;

fn context() -> Context {
    Context::new(Device::flex())
}

fn of_seed(seed: u32) -> Picture {
    Picture {
        model: "adventurer".to_owned(),
        tuned: None,
        latent: Latent::Seed(Seeded {
            seed,
            ..Seeded::default()
        }),
        edits: Vec::new(),
        noise_mode: LayerNoise::default(),
        noise_seed: 0,
    }
}

/// The model's first named edit, whatever it is called since the model was trained last.
fn first_edit(context: &Context) -> String {
    let folder = context.weights().unwrap().zoo().join("adventurer");
    let book = ganspace::EditBook::load(folder.join("edits.toml")).unwrap();
    book.iter().next().unwrap().0.to_owned()
}

fn course(points: &[u32], time: f64) -> Picture {
    let points = points
        .iter()
        .map(|seed| Point {
            latent: of_seed(*seed).latent,
            edits: Vec::new(),
        })
        .collect();
    let course = Course {
        points,
        easing: Easing::Cosine,
        interpolation: CourseShape::Spherical,
        closed: false,
    };
    Picture {
        latent: Latent::Course(OnCourse { course, time }),
        ..of_seed(0)
    }
}

/// Bytes of the picture that `generate` writes for a seed.
fn generated(seed: u32, noise: LayerNoise, context: &Context) -> RgbImage {
    let out = tempfile::tempdir().unwrap();
    let options = generate::Options {
        model: "adventurer".to_owned(),
        seeds: crate::Seeds(vec![seed]),
        noise_mode: noise,
        seed: 3,
        single: true,
        out: Some(out.path().to_owned()),
        ..generate::Options::default()
    };
    let outcome = generate::run(&options, context, &mut ()).unwrap();
    let file = &outcome.images[0].file.as_ref().unwrap().0;
    image_tensor::decode_file(file, &image_tensor::DecodeLimits::default()).unwrap()
}

#[test]
fn a_seed_is_the_picture_that_generate_makes_of_it() {
    let context = context();
    for noise in [LayerNoise::Constant, LayerNoise::None, LayerNoise::Random] {
        let picture = Picture {
            noise_mode: noise,
            noise_seed: 3,
            ..of_seed(7)
        };
        assert_eq!(
            picture.render(&context).unwrap(),
            generated(7, noise, &context)
        );
    }
}

#[test]
fn latents_go_through_text_unchanged() {
    let context = context();
    let picture = of_seed(4);
    let model = context.model(&picture.model).unwrap();
    let w_plus = picture.w_plus(&model, &context).unwrap();
    let text = LatentsText::of(&w_plus);
    assert_eq!(text.read(&model).unwrap(), w_plus);
    let again = Picture {
        latent: Latent::WPlus(text),
        ..of_seed(4)
    };
    assert_eq!(
        again.render(&context).unwrap(),
        picture.render(&context).unwrap()
    );
}

#[test]
fn latents_that_do_not_fit_are_refused() {
    let context = context();
    let model = context.model("adventurer").unwrap();
    let refused = |json: &str| {
        let text: LatentsText = serde_json::from_str(json).unwrap();
        text.read(&model).unwrap_err().to_string()
    };
    assert!(refused(r#""AAAA""#).contains("3 bytes"));
    assert!(refused(r#""a.b""#).contains("no base64"));
    let shape = (
        model.generator.synthesis.num_ws(),
        model.generator.synthesis.w_dim(),
    );
    let infinite = LatentsText::of(&Array2::from_elem(shape, f32::INFINITY));
    assert!(infinite.read(&model).is_err());
}

#[test]
fn an_edit_moves_its_layers_along_its_component() {
    let context = context();
    let model = context.model("adventurer").unwrap();
    let plain = of_seed(1).w_plus(&model, &context).unwrap();
    let edited = Picture {
        edits: vec![Change {
            direction: Direction::Component {
                component: 2,
                layers: "3-5".parse().unwrap(),
            },
            strength: 2.0,
        }],
        ..of_seed(1)
    };
    let moved = edited.w_plus(&model, &context).unwrap() - &plain;
    let directions = model.directions(&model.usual_basis(), &context).unwrap();
    for (layer, row) in moved.outer_iter().enumerate() {
        let length = row
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        let expected = if (3..=5).contains(&layer) {
            2.0 * directions.stdev()[2]
        } else {
            0.0
        };
        // Latents are of size 1 and rounded in f32, 64 of them.
        assert!(
            (length - expected).abs() < 1e-5,
            "layer {layer}: {length} and {expected}"
        );
    }
}

#[test]
fn named_edits_are_those_of_the_models_file() {
    let context = context();
    let named = |strength| Picture {
        edits: vec![Change {
            direction: Direction::Named {
                edit: first_edit(&context),
            },
            strength,
        }],
        ..of_seed(1)
    };
    let plain = of_seed(1).render(&context).unwrap();
    assert_eq!(named(0.0).render(&context).unwrap(), plain);
    assert_ne!(named(3.0).render(&context).unwrap(), plain);
    let unknown = Picture {
        edits: vec![Change {
            direction: Direction::Named {
                edit: "wings".to_owned(),
            },
            strength: 1.0,
        }],
        ..of_seed(1)
    };
    assert!(
        unknown
            .render(&context)
            .unwrap_err()
            .to_string()
            .contains("wings")
    );
}

#[test]
fn a_course_begins_and_ends_at_its_points() {
    let context = context();
    for (time, seed) in [(0.0, 3), (0.5, 4), (1.0, 5)] {
        let found = course(&[3, 4, 5], time).render(&context).unwrap();
        assert_eq!(found, of_seed(seed).render(&context).unwrap(), "at {time}");
    }
    assert_ne!(
        course(&[3, 4], 0.5).render(&context).unwrap(),
        of_seed(3).render(&context).unwrap()
    );
    assert!(course(&[3], 0.5).render(&context).is_err());
    assert!(course(&[3, 4], f64::NAN).render(&context).is_err());
    let frames = course(&[3, 4], 0.0).frames(&[0.0, 0.25, 1.0], &context, |done| done < 2);
    assert_eq!(frames.unwrap().len(), 2);
}

/// A recipe with an offset of the features of block 16.
fn refined(seed: u32, strength: f32, context: &Context) -> Picture {
    let plain = of_seed(seed);
    let model = context.model(&plain.model).unwrap();
    let channels = model.generator.config().channels(16);
    let values = (0..channels * 256).map(|i| strength * ((i % 7) as f32 - 3.0));
    let offset = Offset {
        block: 16,
        values: Array2::from_shape_vec((channels, 256), values.collect()).unwrap(),
    };
    let w_plus = plain.w_plus(&model, context).unwrap();
    Picture {
        latent: Latent::Refined(Refined {
            w_plus: LatentsText::of(&w_plus),
            offset: OffsetText::of(&offset),
        }),
        ..plain
    }
}

#[test]
fn a_refined_latent_adds_its_offset_and_is_edited_as_others_are() {
    let context = context();
    let plain = of_seed(4).render(&context).unwrap();
    assert_eq!(refined(4, 0.0, &context).render(&context).unwrap(), plain);
    let picture = refined(4, 0.5, &context);
    let model = context.model(&picture.model).unwrap();
    let w_plus = picture.w_plus(&model, &context).unwrap();
    let tensor = crate::latents::to_tensor(std::slice::from_ref(&w_plus), context.device());
    let offset = picture.offset(&model).unwrap();
    let offset = feature_offset::batch(&[offset.as_ref()], context.device())
        .unwrap()
        .unwrap();
    let expected =
        model
            .generator
            .synthesis
            .forward_with_offset(tensor, &NoiseMode::Constant, &offset);
    let found = picture.render(&context).unwrap();
    assert_eq!(found, from_signed_unit(expected).swap_remove(0));
    assert_ne!(found, plain);
    let edited = Picture {
        edits: vec![Change {
            direction: Direction::Named {
                edit: first_edit(&context),
            },
            strength: 3.0,
        }],
        ..picture
    };
    assert_ne!(edited.render(&context).unwrap(), found);
    let text = serde_json::to_string(&edited).unwrap();
    assert_eq!(serde_json::from_str::<Picture>(&text).unwrap(), edited);
}

#[test]
fn an_offset_fades_along_a_course() {
    let context = context();
    let from = refined(3, 0.5, &context);
    let mut way = course(&[3, 4], 0.0);
    let Latent::Course(on_course) = &mut way.latent else {
        panic!("a course");
    };
    on_course.course.points[0].latent = from.latent.clone();
    let at = |time| way.frames(&[time], &context, |_| true).unwrap().remove(0);
    assert_eq!(at(0.0), from.render(&context).unwrap());
    assert_eq!(at(1.0), of_seed(4).render(&context).unwrap());
    assert_eq!(way.render(&context).unwrap(), at(0.0));
}

#[test]
fn offsets_that_do_not_fit_are_refused() {
    let context = context();
    let model = context.model("adventurer").unwrap();
    let refused = |block, values: &str| {
        let values = values.to_owned();
        let text = OffsetText { block, values };
        text.read(&model).unwrap_err().to_string()
    };
    assert!(refused(64, "AAAA").contains("of block 64"));
    assert!(refused(16, "a.b").contains("no base64"));
    assert!(refused(16, "AAAA").contains("3 bytes"));
}

#[test]
fn recipes_are_read_from_json() {
    let text = r#"{"model": "adventurer", "latent": {"course": {"points": [
            {"latent": {"seed": {"seed": 1}}},
            {"latent": {"seed": {"seed": 2, "truncation_cutoff": 4}}, "edits": [{"edit": "hair", "strength": 1}]}],
        "closed": true, "easing": "smooth_step", "time": 0.5}}, "noise_mode": "none"}"#;
    let picture: Picture = serde_json::from_str(text).unwrap();
    let again: Picture = serde_json::from_str(&serde_json::to_string(&picture).unwrap()).unwrap();
    assert_eq!(again, picture);
    assert!(
        serde_json::from_str::<Picture>(r#"{"model": "a", "latent": {"seed": {"sead": 1}}}"#)
            .is_err()
    );
}
