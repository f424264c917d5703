#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use burn::tensor::Device;
use image_tensor::RgbImage;
use stylegan2::RandomState;

use super::*;
use crate::picture::{Latent, Picture, Seeded};

const SIDE: usize = 24;
const CHANNELS: usize = 5;

/// Features of noise, moved by whole pixels; what comes in from outside is other noise.
fn noise(shift: [i32; 2]) -> FeatureMap {
    let wide = 3 * SIDE;
    let values = RandomState::new(7).standard_normals(CHANNELS * wide * wide);
    let at =
        |channel: usize, x: i32, y: i32| values[(channel * wide + y as usize) * wide + x as usize];
    let mut moved = Vec::new();
    for channel in 0..CHANNELS {
        for y in 0..SIDE as i32 {
            for x in 0..SIDE as i32 {
                moved.push(at(
                    channel,
                    x + SIDE as i32 - shift[0],
                    y + SIDE as i32 - shift[1],
                ));
            }
        }
    }
    let data = TensorData::new(moved, [1, CHANNELS, SIDE, SIDE]);
    FeatureMap(Tensor::from_data(data, &Device::flex()))
}

#[test]
fn a_handle_moved_by_a_known_warp_is_tracked() {
    let start = noise([0, 0]);
    for shift in [[0, 0], [3, -2], [-4, 4], [4, 0]] {
        let moved = noise(shift);
        for point in [[10.0, 9.0], [5.0, 18.0], [4.0, 4.0]] {
            let handle = start.sample(&[point]);
            let found = tracking::track(&moved, &handle, point, 4);
            let expected = [
                point[0] + f64::from(shift[0]),
                point[1] + f64::from(shift[1]),
            ];
            assert_eq!(found, expected, "{point:?} by {shift:?}");
        }
    }
}

#[test]
fn tracking_stays_inside_the_picture() {
    let map = noise([0, 0]);
    for corner in [[0.0, 0.0], [23.0, 0.0], [0.0, 23.0], [23.0, 23.0]] {
        let handle = map.sample(&[corner]);
        assert_eq!(tracking::track(&map, &handle, corner, 6), corner);
    }
}

#[test]
fn features_between_pixels_are_bilinear() {
    // x + 100 y is its own bilinear interpolation.
    let values: Vec<f32> = (0..16).map(|i| (i % 4 + 100 * (i / 4)) as f32).collect();
    let map = FeatureMap(Tensor::from_data(
        TensorData::new(values, [1, 1, 4, 4]),
        &Device::flex(),
    ));
    let positions = [[0.0, 0.0], [1.25, 2.5], [3.0, 3.0], [-1.0, 1.0], [2.0, 9.0]];
    let found: Vec<f32> = map.sample(&positions).into_data().iter::<f32>().collect();
    // Quarters and halves of small whole numbers are exact.
    assert_eq!(found, [0.0, 251.25, 303.0, 100.0, 302.0]);
}

#[test]
fn a_handle_at_its_target_does_not_move_and_disks_are_round() {
    assert!(supervision::Move::new([3.0, 3.0], [3.0, 3.0]).is_none());
    assert_eq!(supervision::disk([5.0, 5.0], 1.0).len(), 5);
    assert_eq!(supervision::disk([5.0, 5.0], 2.0).len(), 13);
}

#[test]
fn the_loss_of_features_moved_by_their_step_is_zero() {
    // A ramp moved by one pixel to the right is the ramp minus its slope, so the loss of a map against itself is that
    // slope.
    let values: Vec<f32> = (0..SIDE * SIDE).map(|i| 0.5 * (i % SIDE) as f32).collect();
    let map = FeatureMap(Tensor::from_data(
        TensorData::new(values, [1, 1, SIDE, SIDE]),
        &Device::flex(),
    ));
    let loss = |to| {
        let moves = [supervision::Move::new([12.0, 12.0], to).unwrap()];
        supervision::loss(&map, &moves, 2.0).into_scalar::<f32>()
    };
    assert_eq!(loss([20.0, 12.0]), 0.5);
    assert_eq!(loss([12.0, 20.0]), 0.0);
    // A target half a pixel away is not passed.
    assert_eq!(loss([12.5, 12.0]), 0.25);
}

fn context() -> Context {
    Context::new(Device::flex())
}

fn options(handles: &[([f64; 2], [f64; 2])]) -> Options {
    let picture = Picture {
        model: "micah".to_owned(),
        tuned: None,
        latent: Latent::Seed(Seeded {
            seed: 4,
            ..Seeded::default()
        }),
        edits: Vec::new(),
        noise_mode: crate::generate::LayerNoise::Constant,
        noise_seed: 0,
    };
    Options {
        handles: handles
            .iter()
            .map(|(from, to)| Handle {
                from: *from,
                to: *to,
            })
            .collect(),
        ..Options::new(picture)
    }
}

fn rendered(options: &Options, outcome: &Outcome, context: &Context) -> RgbImage {
    let picture = Picture {
        latent: Latent::WPlus(outcome.w_plus.clone()),
        ..options.picture.clone()
    };
    picture.render(context).unwrap()
}

#[derive(Default)]
struct Witness {
    points: Vec<Vec<[f64; 2]>>,
    previews: usize,
    end_after: Option<usize>,
}

impl Observer for Witness {
    fn points(&mut self, points: &[[f64; 2]]) {
        self.points.push(points.to_vec());
    }
    fn preview(&mut self, _: &Preview<'_>) {
        self.previews += 1;
    }
    fn wants_previews(&self) -> bool {
        true
    }
    fn cancelled(&self) -> bool {
        self.end_after.is_some_and(|most| self.points.len() > most)
    }
}

#[test]
fn a_handle_arrives_and_the_picture_is_the_outcomes() {
    let context = context();
    let options = options(&[([30.0, 24.0], [30.0, 30.0])]);
    let mut witness = Witness::default();
    let outcome = run(&options, &context, &mut witness).unwrap();
    assert!(outcome.arrived, "{outcome:?}");
    assert!(outcome.distance <= 1.0);
    assert_eq!(witness.points.len(), outcome.steps + 1);
    assert_eq!(witness.previews, outcome.steps + 1);
    assert_eq!(witness.points.last().unwrap(), &outcome.points);
    assert_ne!(
        rendered(&options, &outcome, &context),
        options.picture.render(&context).unwrap()
    );
}

#[test]
fn what_the_mask_excludes_stays() {
    let context = context();
    let plain = options(&[([30.0, 24.0], [30.0, 30.0])]);
    let before = plain.picture.render(&context).unwrap();
    // The right third is to stay.
    let free: Vec<bool> = (0..64 * 64).map(|i| i % 64 < 44).collect();
    let masked = Options {
        mask: Some(Mask::of(&free)),
        steps: 60,
        ..plain.clone()
    };
    let plain = Options { steps: 60, ..plain };
    let change = |options: &Options| {
        let outcome = run(options, &context, &mut ()).unwrap();
        let after = rendered(options, &outcome, &context);
        let pairs = before
            .pixels()
            .zip(after.pixels())
            .zip(&free)
            .filter(|(_, free)| !**free);
        let sum: u64 = pairs
            .flat_map(|((a, b), _)| a.0.into_iter().zip(b.0))
            .map(|(a, b)| u64::from(a.abs_diff(b)))
            .sum();
        sum
    };
    let (with, without) = (change(&masked), change(&plain));
    assert!(with < without, "{with} and {without}");
}

#[test]
fn a_handle_at_its_target_changes_nothing() {
    let context = context();
    let options = options(&[([20.0, 20.0], [20.0, 20.0])]);
    let outcome = run(&options, &context, &mut ()).unwrap();
    assert_eq!((outcome.steps, outcome.arrived), (0, true));
    assert_eq!(
        rendered(&options, &outcome, &context),
        options.picture.render(&context).unwrap()
    );
}

#[test]
fn a_cancelled_drag_gives_what_it_has() {
    let mut witness = Witness {
        end_after: Some(2),
        ..Witness::default()
    };
    let options = options(&[([20.0, 20.0], [50.0, 50.0])]);
    let outcome = run(&options, &context(), &mut witness).unwrap();
    assert_eq!((outcome.cancelled, outcome.steps), (true, 2));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let context = context();
    let refused = |options: Options| run(&options, &context, &mut ()).unwrap_err().to_string();
    assert!(refused(options(&[])).contains("handles"));
    assert!(refused(options(&[([64.0, 0.0], [1.0, 1.0])])).contains("64x64"));
    assert!(refused(options(&[([f64::NAN, 0.0], [1.0, 1.0])])).contains("64x64"));
    let one = options(&[([1.0, 1.0], [9.0, 9.0])]);
    assert!(
        refused(Options {
            block: Some(48),
            ..one.clone()
        })
        .contains("block")
    );
    assert!(
        refused(Options {
            learning_rate: 0.0,
            ..one.clone()
        })
        .contains("learning_rate")
    );
    assert!(
        refused(Options {
            mask: Some(Mask::of(&[true])),
            ..one
        })
        .contains("mask")
    );
}
