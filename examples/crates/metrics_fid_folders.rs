//! Crate `metrics-fid`: the Fréchet distance of two folders of images.
//!
//! `cargo run --release --example metrics_fid_folders`, in the repository's folder

use std::error::Error;
use std::ops::ControlFlow;

use backbones::{EfficientNetLite0, FeatureExtractor};
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use image_source::ImageSource;
use metrics_fid::{ImageFeatures, StreamOptions, frechet_distance, stored_features};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    // A FID takes `ImageFeatures::fid` with Inception-v3, whose weights are not in the repository.
    let weights = Checkpoint::open("weights/features/efficientnet_lite0.safetensors")?;
    let network = EfficientNetLite0::load(&weights, &device)?;
    let features = ImageFeatures::from(FeatureExtractor::new(network));
    let statistics = |folder: &str| -> Result<_, Box<dyn Error>> {
        let images = ImageSource::open(folder)?;
        let options = StreamOptions::default();
        let on_progress = |_| ControlFlow::Continue(());
        let found = stored_features(&features, &images, &options, &device, on_progress)?;
        Ok(found.set.mean_covariance()?)
    };
    let (faces, emojis) = (
        statistics("weights/queries/micah")?,
        statistics("weights/queries/funEmoji")?,
    );
    let distance = frechet_distance(&faces, &emojis)?;
    println!("{}: {distance:.4}", features.distance_name());
    assert!(distance > 0.0);
    Ok(())
}
