//! Whether a model is good enough: samples among real images in the features of several networks, and the inversion of
//! held-out images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use checkpoint_file::{Checkpoint, FloatPrecision, StoredTensor, save_safetensors};
use image_tensor::rgb_over_white;
use inversion::{Inversion, InversionConfig, invert_with};
use lpips::{Lpips, LpipsNetwork, Version};
use metrics_fid::{
    FeatureSet, ImageFeatures, Keep, density_coverage, frechet_distance, precision_recall,
};
use model_zoo::{FeatureQuality, InversionQuality, Quality};
use ndarray::{Array2, ArrayView2};
use stylegan2::{Generator, Truncation};
use vision_aided_finetune::ImageSet;

use super::rounded;
use crate::features::BATCH;
use crate::images::{Target, files_in, spread, to_targets};
use crate::median::median;
use crate::protocol::Protocol;
use crate::{Error, Observer, Weights, digest, files, sampling};

/// Samples, and at most as many real images, that are compared.
const COMPARED_IMAGES: u32 = 1000;
/// Neighbors that span a ball, for all four measures.
const NEIGHBORS: usize = 5;
/// Held-out images that are inverted.
const INVERTED: usize = 6;

/// How many images are compared where `asked` are measured otherwise: not more than a thousand, and enough for every
/// image to have its neighbors.
pub fn compared(asked: u32) -> u32 {
    asked.clamp(NEIGHBORS as u32 + 1, COMPARED_IMAGES)
}

/// The networks that judge models of the zoo. Discriminators of fine-tuning see EfficientNet-lite0's features, and none
/// sees AlexNet's.
pub const JUDGES: [Protocol; 2] = [Protocol::AlexNet, Protocol::EfficientnetLite0];

/// All that decides whether a model is good enough.
pub struct Gates<'a> {
    meters: Vec<FeatureMeter<'a>>,
    weights: &'a Weights,
    device: &'a Device,
}

impl<'a> Gates<'a> {
    /// Loads the [`JUDGES`]. `images` and `folder` are those of [`FeatureMeter::new`].
    ///
    /// # Errors
    ///
    /// Their weights are not in the weights folder.
    pub fn new(
        weights: &'a Weights,
        images: u32,
        folder: &Path,
        device: &'a Device,
    ) -> Result<Self, Error> {
        let meters = JUDGES
            .iter()
            .map(|judge| FeatureMeter::new(*judge, Some(weights.root()), images, folder, device));
        Ok(Self {
            meters: meters.collect::<Result<_, _>>()?,
            weights,
            device,
        })
    }

    /// Adds to `quality` how the generator of a file passes them. `name` is the kind of its held-out images.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written, or an image is not finite; [`Error::Cancelled`] when the observer ends the
    /// job.
    pub fn measure(
        &self,
        name: &str,
        generator: &Path,
        images: &ImageSet,
        mut quality: Quality,
        observer: &mut dyn Observer,
    ) -> Result<Quality, Error> {
        let generator = Generator::load(generator, self.device)?;
        quality.features.clear();
        for meter in &self.meters {
            let found = meter.measure(&generator, images, observer)?;
            quality.features.insert(meter.name.clone(), found);
        }
        quality.inversion =
            held_out_inversion(name, &generator, self.weights, self.device, observer)?;
        observer.go_on()?;
        Ok(quality)
    }
}

/// Measures samples among real images in the features of one network.
pub struct FeatureMeter<'a> {
    /// By which cards know its measurements.
    name: String,
    features: ImageFeatures,
    images: usize,
    /// Features of real images are kept here: they stay the same from one measurement to the next.
    folder: PathBuf,
    device: &'a Device,
}

impl<'a> FeatureMeter<'a> {
    /// Loads the network from the weights folder. `images` is the number of samples and the most real images that are
    /// compared.
    ///
    /// # Errors
    ///
    /// Its weights are not there.
    pub fn new(
        protocol: Protocol,
        weights: Option<&Path>,
        images: u32,
        folder: &Path,
        device: &'a Device,
    ) -> Result<Self, Error> {
        Ok(Self {
            name: protocol.name().to_owned(),
            features: protocol.load(None, weights, device)?,
            images: images as usize,
            folder: folder.to_owned(),
            device,
        })
    }

    /// Compares the samples of the first seeds at psi 1 with real images of the same side, spread evenly over the set.
    ///
    /// # Errors
    ///
    /// An image is not finite, or a file cannot be read or written; [`Error::Cancelled`] when the observer ends the
    /// job.
    pub fn measure(
        &self,
        generator: &Generator,
        images: &ImageSet,
        observer: &mut dyn Observer,
    ) -> Result<FeatureQuality, Error> {
        let images = &*images.for_channels(generator.config().img_channels);
        let real = self.real(images, observer)?;
        let mut samples = FeatureSet::new(self.features.dimension(), Keep::Features);
        for first in (0..self.images).step_by(BATCH) {
            observer.go_on()?;
            let seeds: Vec<u32> = (first..(first + BATCH).min(self.images))
                .map(|seed| seed as u32)
                .collect();
            let batch = sampling::checked(generator, &seeds, None, Truncation::NONE, self.device)?;
            samples.add_rows(self.features.of_tensor(batch).view())?;
        }
        let rows = |set: &FeatureSet| {
            let kept = set.features().map(|rows| rows.to_owned());
            kept.unwrap_or_else(|| Array2::zeros((0, self.features.dimension())))
        };
        let (of_real, of_samples) = (rows(&real), rows(&samples));
        let manifold = precision_recall(of_real.view(), of_samples.view(), NEIGHBORS)?;
        let balls = density_coverage(of_real.view(), of_samples.view(), NEIGHBORS)?;
        let distance = frechet_distance(&real.mean_covariance()?, &samples.mean_covariance()?)?;
        Ok(FeatureQuality {
            protocol: format!(
                "{}; seeds 0 to {} at psi 1, and {} of {} training images, spread evenly; {NEIGHBORS} neighbors",
                self.features.name(),
                self.images - 1,
                real.count(),
                images.len()
            ),
            frechet_distance: rounded(distance, 3),
            precision: rounded(manifold.precision, 3),
            recall: rounded(manifold.recall, 3),
            density: rounded(balls.density, 3),
            coverage: rounded(balls.coverage, 3),
        })
    }

    /// Features of real images, from the folder where they are there.
    fn real(&self, images: &ImageSet, observer: &mut dyn Observer) -> Result<FeatureSet, Error> {
        const TENSOR: &str = "features";
        let dimension = self.features.dimension();
        let chosen = spread(images.len(), self.images);
        let key = digest::short(&format!(
            "{} {} {}",
            images.fingerprint(),
            self.features.name(),
            chosen.len()
        ));
        let path = self.folder.join(format!("{key}.features.safetensors"));
        let mut set = FeatureSet::new(dimension, Keep::Features);
        if path.is_file() {
            let kept = Checkpoint::open(&path)?;
            let rows = kept.tensors().get(TENSOR).map(StoredTensor::to_f32);
            let rows = rows.unwrap_or_default();
            let rows = ArrayView2::from_shape((chosen.len(), dimension), &rows).map_err(|_| {
                Error::File {
                    path: path.clone(),
                    problem: format!(
                        "expected {} features of {dimension} numbers; delete the file",
                        chosen.len()
                    ),
                }
            })?;
            set.add_rows(rows)?;
            return Ok(set);
        }
        for batch in chosen.chunks(BATCH) {
            observer.go_on()?;
            let batch = images.batch(batch, &vec![false; batch.len()], self.device);
            set.add_rows(self.features.of_tensor(batch).view())?;
        }
        files::make_folder(&self.folder)?;
        let rows: Vec<f32> = set
            .features()
            .map_or_else(Vec::new, |rows| rows.iter().copied().collect());
        let tensor = StoredTensor::from_f32(vec![chosen.len(), dimension], &rows);
        save_safetensors(
            &path,
            &BTreeMap::from([(TENSOR.to_owned(), tensor)]),
            &BTreeMap::new(),
            FloatPrecision::F32,
        )?;
        Ok(set)
    }
}

/// Inverts the first held-out query images of the model's kind, all at once; `None` where there are none.
///
/// # Errors
///
/// An image cannot be read, or the weights of LPIPS are not in the weights folder; [`Error::Cancelled`] when the
/// observer ends the job.
pub fn held_out_inversion(
    name: &str,
    generator: &Generator,
    weights: &Weights,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<Option<InversionQuality>, Error> {
    let side = generator.config().img_resolution as u32;
    let files = files_in(&weights.queries().join(name));
    let targets: Vec<_> = files
        .iter()
        .take(INVERTED)
        .map(|file| Ok(Target::load(file, side)?.pixels))
        .collect::<Result<_, Error>>()?;
    if targets.is_empty() {
        return Ok(None);
    }
    let load = |network| Lpips::load(network, Version::V0_1, weights.features(), device);
    let (metric, judge) = (load(LpipsNetwork::AlexNet)?, load(LpipsNetwork::Vgg16)?);
    let config = InversionConfig::default();
    let pixels = to_targets(&targets, generator, device);
    let found = invert_with(generator, &metric, pixels.clone(), &config, |_| {
        observer.flow()
    })?;
    observer.go_on()?;
    let mut perceptual = Vec::with_capacity(found.len());
    for (index, result) in found.iter().enumerate() {
        let target = judge.prepare(rgb_over_white(pixels.clone().narrow(0, index, 1)))?;
        let image = result.best.image.clone().clamp(-1.0, 1.0);
        let distance = judge.distance_to(&target, rgb_over_white(image));
        perceptual.push(f64::from(distance.into_scalar::<f32>()));
    }
    let middle = |values: Vec<f64>, digits| median(values).map(|value| rounded(value, digits));
    let column = |value: fn(&Inversion) -> f64| found.iter().map(value).collect();
    let (Some(psnr), Some(lpips_vgg), Some(distance)) = (
        middle(column(|result| result.best.psnr), 2),
        middle(perceptual, 4),
        middle(column(|result| result.best.w_plus_distance), 2),
    ) else {
        return Ok(None);
    };
    Ok(Some(InversionQuality {
        protocol: format!(
            "medians of {} held-out images; W+ from the mean latent, {} steps of Adam, LPIPS (alex) and MSE; PSNR of the pictures in 8 bits",
            found.len(),
            config.steps
        ),
        psnr,
        lpips_vgg,
        distance,
    }))
}
