use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use backbones::InceptionV3;
use burn::tensor::Device;
use checkpoint_file::Checkpoint;
use feature_stats::MeanCovariance;
use image_source::ImageSource;
use serde::{Deserialize, Serialize};

use crate::{
    FidProtocol, ImageFeatures, Keep, MetricsError, StreamOptions, frechet_distance,
    stored_features,
};

/// How [`fid`] is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FidOptions {
    /// The file of Inception-v3's weights that pytorch-fid publishes, `pt_inception-2015-12-05-6726825d.pth`.
    pub weights: PathBuf,
    /// How images become the network's input.
    #[serde(default = "pytorch_fid")]
    pub protocol: FidProtocol,
    /// How files are read; of the features only what the distance needs is kept.
    #[serde(default)]
    pub stream: StreamOptions,
}

fn pytorch_fid() -> FidProtocol {
    FidProtocol::PytorchFid
}

impl FidOptions {
    /// The protocol of pytorch-fid, 16 images at once.
    pub fn new(weights: impl Into<PathBuf>) -> Self {
        Self {
            weights: weights.into(),
            protocol: pytorch_fid(),
            stream: StreamOptions::default(),
        }
    }

    /// Under another protocol.
    pub fn with_protocol(mut self, protocol: FidProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// With files read otherwise.
    pub fn with_stream(mut self, stream: StreamOptions) -> Self {
        self.stream = stream;
        self
    }
}

/// The Fréchet Inception distance (Heusel et al. 2017) of the images of two folders or archives.
///
/// [`stored_features`] and [`frechet_distance`] are its parts, for progress, other networks and other measures.
///
/// ```no_run
/// use burn::tensor::Device;
/// use metrics_fid::{FidOptions, FidProtocol, fid};
///
/// let options = FidOptions::new("pt_inception-2015-12-05-6726825d.pth")
///     .with_protocol(FidProtocol::CleanFid);
/// println!("FID {:.2}", fid("photographs", "generated", &options, &Device::flex())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the weights are not there or not those of the network, a folder cannot be read, has fewer than two images, or
/// one is bad and [`stream`](FidOptions::stream) refuses those.
///
/// # Panics
/// When the batch size is 0.
pub fn fid(
    a: impl AsRef<Path>,
    b: impl AsRef<Path>,
    options: &FidOptions,
    device: &Device,
) -> Result<f64, MetricsError> {
    let network = InceptionV3::load(&Checkpoint::open(&options.weights)?, device)?;
    let features = ImageFeatures::fid(options.protocol, network);
    let stream = StreamOptions {
        keep: Keep::Moments,
        ..options.stream.clone()
    };
    let statistics = |folder: &Path| -> Result<MeanCovariance, MetricsError> {
        let images = ImageSource::open(folder)?;
        let unheard = |_| ControlFlow::Continue(());
        let found = stored_features(&features, &images, &stream, device, unheard)?;
        found.set.mean_covariance()
    };
    frechet_distance(&statistics(a.as_ref())?, &statistics(b.as_ref())?)
}
