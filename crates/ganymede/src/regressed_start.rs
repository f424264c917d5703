//! A first guess at the latent of an image: a ridge regression from the features of a model's samples to their latents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use feature_stats::{Ddof, LinearRegression, Moments, Ridge};
use image_tensor::RgbImage;
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use stylegan2::{NoiseMode, Truncation, latents_from_seeds};

use crate::features::{BATCH, FeatureOptions, FeatureRecord, UnitFeatures};
use crate::index_record::IndexRecord;
use crate::{Context, Error, Model, Observer, Phase, digest};

/// Samples that the regression is fitted to.
const SAMPLES: usize = 3000;
/// Seed of the first of them: none that an index is built of.
const FIRST_SEED: u32 = 3 << 30;
/// Ridge, as a share of the features' mean variance.
const RELATIVE_RIDGE: f64 = 0.03;

/// A regression with the network of its features.
pub struct RegressedStart {
    features: Arc<UnitFeatures>,
    regression: Arc<LinearRegression>,
}

impl RegressedStart {
    /// The regression of a model, from the file beside it or fitted now, which takes seconds and is kept in that file
    /// where the folder can be written. Its features are those of the zoo's index, or the usual ones where there is no
    /// index.
    ///
    /// # Errors
    ///
    /// The weights of the feature network are missing, or the model's images are not finite; [`Error::Cancelled`] when
    /// the observer ends the work.
    pub fn of(
        model: &Model,
        context: &Context,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        let weights = context.weights()?;
        let record = match IndexRecord::read(&weights.index()) {
            Ok(record) => record.features,
            Err(_) => FeatureOptions::default().record(),
        };
        let features = Arc::new(UnitFeatures::load(
            &record,
            None,
            &weights,
            context.device(),
        )?);
        let file = file(model, &record);
        let regression = match LinearRegression::load(&file) {
            Ok(kept)
                if kept.features() == features.dimension()
                    && kept.targets() == model.generator.mapping.w_dim() =>
            {
                kept
            }
            // None is there, or one of another version: it is made again.
            _ => {
                let fitted = fit(model, &features, context.device(), observer)?;
                // A folder that cannot be written costs the next program some seconds, and this one nothing.
                fitted.save(&file).ok();
                fitted
            }
        };
        Ok(Self {
            features,
            regression: Arc::new(regression),
        })
    }

    /// Latents of W for images, `[images, 1, w_dim]`.
    ///
    /// # Errors
    ///
    /// The features of an image are not finite.
    pub fn latents(&self, images: &[RgbImage], device: &Device) -> Result<Tensor<3>, Error> {
        let features = self.features.of_images(images);
        let w = self.regression.predict(features.view())?;
        let (count, w_dim) = w.dim();
        let values: Vec<f32> = w.iter().map(|value| *value as f32).collect();
        Ok(Tensor::from_data(
            TensorData::new(values, [count, 1, w_dim]),
            device,
        ))
    }
}

/// Whether a file is named as those that keep a regression beside a model, and so is no model.
pub fn is_kept_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
}

/// Of the files that keep regressions.
const PREFIX: &str = "start-";
const SUFFIX: &str = ".regression.safetensors";

/// Beside the model, named by all that the regression depends on.
fn file(model: &Model, record: &FeatureRecord) -> PathBuf {
    let key = digest::short(&format!(
        "{} {} {} {SAMPLES} {FIRST_SEED} {RELATIVE_RIDGE}",
        model.generator.content_sha256(),
        record.network,
        record.side,
    ));
    model.path.with_file_name(format!("{PREFIX}{key}{SUFFIX}"))
}

fn fit(
    model: &Model,
    features: &UnitFeatures,
    device: &Device,
    observer: &mut dyn Observer,
) -> Result<LinearRegression, Error> {
    let generator = &model.generator;
    let mapping = &generator.mapping;
    let dimension = features.dimension();
    let mut moments = Moments::new(dimension + mapping.w_dim());
    observer.begin(&Phase::new("regression of latents", SAMPLES));
    for first in (0..SAMPLES).step_by(BATCH) {
        observer.go_on()?;
        let seeds: Vec<u32> = (first..SAMPLES.min(first + BATCH))
            .map(|index| FIRST_SEED + index as u32)
            .collect();
        let z = latents_from_seeds(&seeds, mapping.z_dim(), device);
        let w = mapping.w(z, generator.drawn_labels(&seeds, device));
        let w_plus = mapping.truncate(w.clone(), Truncation::NONE);
        let images = generator
            .synthesis
            .forward(w_plus.clone(), &NoiseMode::Constant);
        generator
            .check_finite(&images, &w_plus, &NoiseMode::Constant)
            .map_err(Error::of_model(&model.name))?;
        let x = features.of_tensor(images);
        let y: Vec<f32> = w.into_data().iter::<f32>().collect();
        let y = ArrayView2::from_shape((seeds.len(), mapping.w_dim()), &y)
            .expect("a latent for each seed");
        let rows: Array2<f32> = concatenate![Axis(1), x, y];
        moments.add_rows(rows.view())?;
        observer.position((first + seeds.len()) as u64);
    }
    observer.end();
    let joint = moments.mean_covariance(Ddof::Sample)?;
    let variances = joint.covariance().diag();
    let mean = variances.iter().take(dimension).sum::<f64>() / dimension as f64;
    Ok(LinearRegression::fit(
        &joint,
        dimension,
        Ridge::new(RELATIVE_RIDGE * mean)?,
    )?)
}
