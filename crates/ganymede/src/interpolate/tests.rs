//! Latents of all sources, and paths of a model with random weights.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use checkpoint_file::{FloatPrecision, StoredTensor, save_safetensors};
use ganspace::{Easing, Interpolation};
use image_tensor::{from_signed_unit, write_png};
use lpips::Lpips;
use ndarray::Array2;

use super::{MeasuredPath, spread};
use crate::invert::Settings;
use crate::latents::{LatentSettings, LatentSource, without_offsets};
use crate::rendering::render;
use crate::small_model::{metric, model};
use crate::{Context, Error, Model, Observer, Warning};

fn load(
    sources: &[LatentSource],
    model: &Model,
    metric: &Lpips,
    device: &Device,
) -> Result<Vec<Array2<f32>>, Error> {
    load_heard(sources, model, metric, device, &mut ())
}

fn load_heard(
    sources: &[LatentSource],
    model: &Model,
    metric: &Lpips,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Vec<Array2<f32>>, Error> {
    LatentSettings {
        truncation_psi: 1.0,
        class: None,
        inversion: &Settings {
            steps: 30,
            ..Settings::default()
        },
        seed: 0,
        context: &Context::new(device.clone()),
        metric,
    }
    .load(sources, model, observer)
    .map(without_offsets)
}

fn save(file: &Path, shape: Vec<usize>, values: &[f32]) {
    let tensors = BTreeMap::from([("w_plus".to_owned(), StoredTensor::from_f32(shape, values))]);
    save_safetensors(file, &tensors, &BTreeMap::new(), FloatPrecision::F32).unwrap();
}

#[test]
fn seeds_files_and_images_give_latents_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let (model, metric) = (model(folder.path(), &device), metric(&device));
    let seed = LatentSource::Seed(7);
    let latent = load(std::slice::from_ref(&seed), &model, &metric, &device)
        .unwrap()
        .remove(0);
    let (layers, features) = latent.dim();
    let values: Vec<f32> = latent.iter().copied().collect();
    let [with_batch, without] = ["a.safetensors", "b.safetensors"].map(|f| folder.path().join(f));
    save(&with_batch, vec![1, layers, features], &values);
    save(&without, vec![layers, features], &values);
    let image = folder.path().join("image.png");
    let picture =
        from_signed_unit(render(&model, std::slice::from_ref(&latent), &device).unwrap()).remove(0);
    write_png(&image, &picture).unwrap();

    let sources = [
        LatentSource::Image(image),
        LatentSource::File(with_batch),
        seed,
        LatentSource::File(without),
    ];
    let found = load(&sources, &model, &metric, &device).unwrap();
    assert_eq!(found[1..], [latent.clone(), latent.clone(), latent.clone()]);
    // 30 steps of inversion come near the picture that the model made itself.
    let inverted = from_signed_unit(render(&model, &found[..1], &device).unwrap()).remove(0);
    let error = |a: &image_tensor::RgbImage| {
        let pairs = a.as_raw().iter().zip(picture.as_raw());
        pairs
            .map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2))
            .sum::<f64>()
    };
    let mean = Array2::from_shape_fn((layers, features), |_| 0.0);
    let start = from_signed_unit(render(&model, &[mean], &device).unwrap()).remove(0);
    assert!(error(&inverted) < 0.5 * error(&start));
}

#[test]
fn latents_of_another_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let (model, metric) = (model(folder.path(), &device), metric(&device));
    let file = folder.path().join("a.safetensors");
    for shape in [vec![3, 7], vec![64], vec![3, 8, 8, 8]] {
        let values = vec![0.0; shape.iter().product()];
        save(&file, shape, &values);
        let source = LatentSource::File(file.clone());
        let error = load(&[source], &model, &metric, &device)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a.safetensors") && error.contains("expected [8, 8]"),
            "{error}"
        );
    }
    let numbers = StoredTensor::from_f32(vec![8], &[0.0; 8]);
    let tensors = BTreeMap::from([("z".to_owned(), numbers)]);
    save_safetensors(&file, &tensors, &BTreeMap::new(), FloatPrecision::F32).unwrap();
    let error = load(&[LatentSource::File(file)], &model, &metric, &device).unwrap_err();
    assert!(error.to_string().contains("latents z"), "{error}");
}

#[test]
fn of_several_latents_the_first_is_taken_and_one_w_is_that_of_all_layers() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let (model, metric) = (model(folder.path(), &device), metric(&device));
    let file = folder.path().join("a.safetensors");
    let values: Vec<f32> = (0..128).map(|value| value as f32 / 64.0).collect();
    save(&file, vec![2, 8, 8], &values);
    let source = LatentSource::File(file.clone());
    let mut heard = Heard::default();
    let found = load_heard(&[source], &model, &metric, &device, &mut heard).unwrap();
    let [Warning::Latents(text)] = &heard.0[..] else {
        panic!("{:?}", heard.0);
    };
    assert!(text.contains("2 latents, of which the first"), "{text}");
    assert_eq!(found[0].iter().copied().collect::<Vec<_>>(), values[..64]);

    let w = &values[..8];
    let tensors = BTreeMap::from([("w".to_owned(), StoredTensor::from_f32(vec![8], w))]);
    save_safetensors(&file, &tensors, &BTreeMap::new(), FloatPrecision::F32).unwrap();
    let found = load(&[LatentSource::File(file)], &model, &metric, &device).unwrap();
    for row in found[0].rows() {
        assert_eq!(row.to_vec(), w);
    }
}

#[test]
fn every_step_of_a_path_is_measured_once() {
    let device = Device::flex();
    let (model, metric) = (model(Path::new(""), &device), metric(&device));
    let sources = [LatentSource::Seed(1), LatentSource::Seed(2)];
    let latents = load(&sources, &model, &metric, &device).unwrap();
    let path = ganspace::Path::new(latents, Interpolation::Linear, Easing::Linear).unwrap();
    let measure = |path: &ganspace::Path, frames, batch| {
        let times = path.times(frames).unwrap();
        let way = path.clone().into();
        MeasuredPath::render(&model, &way, times, &metric, batch, &device, &mut ()).unwrap()
    };
    let open = measure(&path, 7, 3);
    assert_eq!((open.images.len(), open.distances.len()), (7, 6));
    assert!(open.distances.iter().all(|distance| *distance > 0.0));
    for batch in [1, 7, 50] {
        let other = measure(&path, 7, batch);
        for (a, b) in open.distances.iter().zip(&other.distances) {
            // Sums of a batch are split among threads as its size allows.
            assert!((a - b).abs() < 1e-2 * a, "batch {batch}: {a} and {b}");
        }
    }
    // There and back: the second half mirrors the first, and the last step closes the loop.
    let closed = measure(&path.closed(), 12, 5);
    assert_eq!((closed.images.len(), closed.distances.len()), (12, 12));
    for step in 0..6 {
        let (there, back) = (closed.distances[step], closed.distances[11 - step]);
        assert!(
            (there - back).abs() < 1e-2 * there,
            "{:?}",
            closed.distances
        );
    }
    assert!(closed.smoothness().unwrap().is_some());
}

#[test]
fn an_interrupted_path_has_frames_and_no_smoothness() {
    let device = Device::flex();
    let (model, metric) = (model(Path::new(""), &device), metric(&device));
    let sources = [LatentSource::Seed(1), LatentSource::Seed(2)];
    let latents = load(&sources, &model, &metric, &device).unwrap();
    let path = ganspace::Path::new(latents, Interpolation::Linear, Easing::Linear)
        .unwrap()
        .closed();
    /// Ends the work after two batches of two.
    #[derive(Default)]
    struct Short {
        done: u64,
    }
    impl Observer for Short {
        fn position(&mut self, done: u64) {
            self.done = done;
        }
        fn cancelled(&self) -> bool {
            self.done >= 4
        }
    }
    let times = path.times(9).unwrap();
    let found = MeasuredPath::render(
        &model,
        &path.into(),
        times,
        &metric,
        2,
        &device,
        &mut Short::default(),
    );
    let found = found.unwrap();
    assert_eq!((found.images.len(), found.distances.len()), (4, 3));
    assert!(found.smoothness().unwrap().is_none());
}

/// Keeps warnings.
#[derive(Default)]
struct Heard(Vec<Warning>);

impl Observer for Heard {
    fn warn(&mut self, warning: &Warning) {
        self.0.push(warning.clone());
    }
}

#[test]
fn a_strip_has_both_ends() {
    assert_eq!(spread(60, 4).collect::<Vec<_>>(), [0, 19, 39, 59]);
    assert_eq!(spread(3, 9).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(spread(1, 9).collect::<Vec<_>>(), [0]);
}
