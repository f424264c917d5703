use std::ops::ControlFlow;
use std::path::Path;

use backbones::InceptionV3;
use burn::tensor::Device;
use feature_stats::MeanCovariance;
use image_source::ImageSource;

use crate::{
    FidProtocol, ImageFeatures, Keep, MetricsError, StreamOptions, frechet_distance,
    stored_features,
};

/// How [`fid`] is computed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FidOptions {
    /// Inception-v3 with the weights `pt_inception-2015-12-05`, which pytorch-fid publishes.
    pub network: InceptionV3,
    /// Where the network is, without autodiff.
    pub device: Device,
    /// How images become the network's input.
    pub protocol: FidProtocol,
    /// How files are read; of the features only what the distance needs is kept.
    pub stream: StreamOptions,
}

impl FidOptions {
    /// The protocol of pytorch-fid, 16 images at once.
    pub fn new(network: InceptionV3, device: &Device) -> Self {
        Self {
            network,
            device: device.clone(),
            protocol: FidProtocol::PytorchFid,
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
/// use backbones::InceptionV3;
/// use burn::tensor::Device;
/// use checkpoint_file::Checkpoint;
/// use metrics_fid::{FidOptions, FidProtocol, fid};
///
/// let device = Device::flex();
/// let weights = Checkpoint::open("pt_inception-2015-12-05-6726825d.pth")?;
/// let options = FidOptions::new(InceptionV3::load(&weights, &device)?, &device)
///     .with_protocol(FidProtocol::CleanFid);
/// println!("FID {:.2}", fid("photographs", "generated", &options)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When a folder cannot be read, has fewer than two images, or one is bad and [`stream`](FidOptions::stream) refuses those.
///
/// # Panics
/// When the batch size is 0.
pub fn fid(
    a: impl AsRef<Path>,
    b: impl AsRef<Path>,
    options: &FidOptions,
) -> Result<f64, MetricsError> {
    let features = ImageFeatures::fid(options.protocol, options.network.clone());
    let stream = StreamOptions {
        keep: Keep::Moments,
        ..options.stream.clone()
    };
    let statistics = |folder: &Path| -> Result<MeanCovariance, MetricsError> {
        let images = ImageSource::open(folder)?;
        let unheard = |_| ControlFlow::Continue(());
        let found = stored_features(&features, &images, &stream, &options.device, unheard)?;
        found.set.mean_covariance()
    };
    frechet_distance(&statistics(a.as_ref())?, &statistics(b.as_ref())?)
}
