//! What LPIPS says about a set or a model.

use burn::tensor::{Device, Tensor};
use image_tensor::{DecodeLimits, RgbImage, rgb_over_white, to_signed_unit};
use lpips::{Lpips, LpipsNetwork};
use metrics_fid::{
    ImageSource, PATH_EPSILON, PathSpace, diversity, image_pairs, perceptual_path_length,
};
use serde::{Deserialize, Serialize};
use stylegan2::{NoiseMode, latents_from_seeds};

use super::Options;
use super::set::{FIRST_IMAGES, Set};
use crate::{Context, Error, Model, Observer, Phase};

/// Each where it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Perceptual {
    /// Mean LPIPS-Alex distance of pairs of generated images.
    pub diversity: Option<f64>,
    /// The same of the real images.
    pub real_diversity: Option<f64>,
    /// In W with LPIPS-VGG, over whole paths.
    pub perceptual_path_length: Option<f64>,
}

impl Perceptual {
    pub(super) fn new(
        options: &Options,
        real: &Set,
        generated: &Set,
        model: Option<&Model>,
        context: &Context,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let device = context.device();
        let mut perceptual = Self {
            diversity: None,
            real_diversity: None,
            perceptual_path_length: None,
        };
        if options.diversity > 0 {
            let metric = context.lpips(LpipsNetwork::AlexNet)?;
            perceptual.diversity = set_diversity(options, generated, &metric, device, observer)?;
            perceptual.real_diversity = set_diversity(options, real, &metric, device, observer)?;
        }
        if let (Some(model), true) = (model, options.path_length > 0) {
            let metric = context.lpips(LpipsNetwork::Vgg16)?;
            perceptual.perceptual_path_length =
                Some(path_length(options, model, &metric, device, observer)?);
        }
        Ok(perceptual)
    }
}

/// None for sets of statistics.
fn set_diversity(
    options: &Options,
    set: &Set,
    metric: &Lpips,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Option<f64>, Error> {
    let images = match &set.files {
        Some(files) => first_images(files),
        None => set.first_images.clone(),
    };
    if images.is_empty() {
        return Ok(None);
    }
    let size = images[0].dimensions();
    if images.iter().any(|image| image.dimensions() != size) {
        return Err(Error::option(
            "diversity",
            "",
            "LPIPS compares images of one size; leave out the others or resize them",
        ));
    }
    let pairs = image_pairs(images.len(), options.diversity, options.seed);
    observer.begin(&Phase::new("pairs", pairs.len()));
    let mut distances = Vec::new();
    for batch in pairs.chunks(usize::from(options.batch)) {
        observer.go_on()?;
        let side = |index: fn(&(usize, usize)) -> usize| {
            let chosen: Vec<RgbImage> = batch
                .iter()
                .map(|pair| images[index(pair)].clone())
                .collect();
            to_signed_unit(&chosen, device)
        };
        distances.extend(values(
            metric.distance(side(|pair| pair.0), side(|pair| pair.1))?,
        ));
        observer.position(distances.len() as u64);
    }
    observer.end();
    Ok(Some(diversity(&distances)?.mean))
}

/// Images that cannot be read are left out: whether that is allowed has been decided when the features were made.
fn first_images(files: &ImageSource) -> Vec<RgbImage> {
    let limits = DecodeLimits::default();
    let first = files.clone().with_limit(FIRST_IMAGES);
    first
        .images(&limits)
        .filter_map(Result::ok)
        .map(|image| image.pixels)
        .collect()
}

fn path_length(
    options: &Options,
    model: &Model,
    metric: &Lpips,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<f64, Error> {
    let generator = &model.generator;
    let mapping = &generator.mapping;
    let paths: Vec<u32> = (0..options.path_length).collect();
    observer.begin(&Phase::new("paths", paths.len()));
    let mut distances = Vec::new();
    for batch in paths.chunks(usize::from(options.batch)) {
        observer.go_on()?;
        // Two seeds a path.
        let classes: Vec<u32> = batch
            .iter()
            .map(|path| options.seed.wrapping_add(2 * path))
            .collect();
        let ends = [0, 1].map(|end| -> Result<Tensor<2>, Error> {
            let seeds: Vec<u32> = batch
                .iter()
                .map(|path| options.seed.wrapping_add(2 * path + end))
                .collect();
            let z = latents_from_seeds(&seeds, mapping.z_dim(), device);
            // Both ends have the class of the first, so that a path stays within it.
            Ok(mapping.w(z, generator.labels(options.class, &classes, device)?))
        });
        let places: Vec<f32> = batch.iter().map(|path| place(*path)).collect();
        let t = Tensor::<1>::from_floats(places.as_slice(), device).unsqueeze_dim::<2>(1);
        let [a, b] = ends;
        let (a, b) = (a?, b?);
        let images = |t: Tensor<2>| {
            let w = PathSpace::W.interpolate(a.clone(), b.clone(), t);
            let w_plus = generator.synthesis.broadcast(w);
            rgb_over_white(generator.synthesis.forward(w_plus, &NoiseMode::Constant))
        };
        let at = images(t.clone());
        let behind = images(t + PATH_EPSILON as f32);
        distances.extend(values(metric.distance(at, behind)?));
        observer.position(distances.len() as u64);
    }
    observer.end();
    Ok(perceptual_path_length(&distances, PATH_EPSILON)?)
}

/// Places that fill [0, 1] evenly whatever their number: multiples of the golden ratio, without the whole part.
fn place(path: u32) -> f32 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    (f64::from(path) * GOLDEN).fract() as f32
}

fn values(distances: Tensor<1>) -> Vec<f64> {
    let values: Vec<f32> = distances
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above");
    values.into_iter().map(f64::from).collect()
}
