use std::path::PathBuf;

use backbones::PublishedWeights;
use checkpoint_file::CheckpointError;

use crate::LpipsNetwork;

/// Why a metric could not be loaded or an image not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LpipsError {
    /// The network's or the heads' weights could not be read or do not fit.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A file of weights is under none of its names in the folder.
    #[error("{}", .published.missing(.folder))]
    MissingWeights {
        /// Where it was looked for.
        folder: PathBuf,
        /// Its names and who publishes it.
        published: PublishedWeights,
    },
    /// The image vanishes on its way through the network's poolings.
    #[error(
        "an image of {height} x {width} pixels is too small for LPIPS with {network}, which needs at least {minimum} x {minimum}{}",
        other_network(*height.min(width), *minimum)
    )]
    ImageTooSmall {
        /// The network.
        network: LpipsNetwork,
        /// The image's height.
        height: usize,
        /// The image's width.
        width: usize,
        /// The least height and width.
        minimum: usize,
    },
    /// The networks see RGB.
    #[error(
        "images of {found} channels, but LPIPS compares RGB; repeat a gray image's channel three times"
    )]
    Channels {
        /// Channels of the images.
        found: usize,
    },
    /// A name that stands for no network.
    #[error("{found:?} is not an LPIPS network; expected alex, vgg or squeeze")]
    UnknownNetwork {
        /// The name.
        found: String,
    },
}

/// What to do about an image that is too small for a network: another network where one takes it.
fn other_network(side: usize, minimum: usize) -> String {
    let least = LpipsNetwork::Vgg16.min_size();
    if side >= least && least < minimum {
        format!("; choose vgg, which takes {least} x {least} and more")
    } else {
        "; enlarge the image".to_owned()
    }
}
