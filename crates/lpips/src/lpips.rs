use std::path::Path;

use backbones::PublishedWeights;
use backbones::{ResizeMethod, resize};
use burn::tensor::{Device, Int, Tensor};
use checkpoint_file::Checkpoint;

use crate::LpipsError;
use crate::feature_distance::{Reduction, feature_distance, normalize_columns};
use crate::heads::Heads;
use crate::input_scaling::InputScaling;
use crate::network::{Backbone, LpipsNetwork};

/// The authors' releases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// The release with the paper's first version. Images go into the network as they are, without the shift and scale
    /// that its weights expect.
    V0_0,
    /// The current release.
    #[default]
    V0_1,
}

impl Version {
    /// As it stands in file names and in the authors' package.
    pub fn name(self) -> &'static str {
        match self {
            Self::V0_0 => "0.0",
            Self::V0_1 => "0.1",
        }
    }
}

/// The range of the image values that a metric takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InputRange {
    /// `[-1, 1]`.
    #[default]
    MinusOneToOne,
    /// `[0, 1]` (`normalize=True` in the authors' package).
    ZeroToOne,
}

/// Channels that the networks see.
const RGB: usize = 3;

/// LPIPS with one network, one version, and learned heads or none.
#[derive(Clone, Debug)]
pub struct Lpips {
    network: LpipsNetwork,
    version: Version,
    input_range: InputRange,
    scaling: InputScaling,
    backbone: Backbone,
    heads: Heads,
}

/// Normalized features of images that others are compared with; made by [`Lpips::prepare`].
#[derive(Clone, Debug)]
pub struct TargetFeatures {
    metric: Metric,
    /// `[batch, 3, height, width]` of the images.
    image_shape: [usize; 4],
    layers: Vec<Tensor<4>>,
}

/// What the features of an image depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Metric {
    network: LpipsNetwork,
    version: Version,
    input_range: InputRange,
}

impl TargetFeatures {
    /// Number of images.
    pub fn batch(&self) -> usize {
        self.image_shape[0]
    }

    /// Height and width of the images.
    pub fn size(&self) -> [usize; 2] {
        [self.image_shape[2], self.image_shape[3]]
    }

    /// Those of the images at some rows of the batch, all below [`Self::batch`], in their order; a row may come more
    /// than once. No network runs.
    pub fn select(&self, rows: Tensor<1, Int>) -> Self {
        let [_, channels, height, width] = self.image_shape;
        let [batch] = rows.dims();
        let layers = self.layers.iter().cloned();
        Self {
            metric: self.metric,
            image_shape: [batch, channels, height, width],
            layers: layers
                .map(|layer| {
                    let rows = rows.clone().to_device(&layer.device());
                    layer.select(0, rows)
                })
                .collect(),
        }
    }
}

impl Lpips {
    /// Loads the metric from a folder with the network's weights and the heads, under any of the names of
    /// [`published_weights`](LpipsNetwork::published_weights): torchvision's `alexnet-owt-7be5be79.pth` and the
    /// `v0.1/alex.pth` of the Python package are read as they are.
    ///
    /// # Errors
    /// When a file is missing, damaged, or not that network's. The error says who publishes what is missing.
    pub fn load(
        network: LpipsNetwork,
        version: Version,
        folder: impl AsRef<Path>,
        device: &Device,
    ) -> Result<Self, LpipsError> {
        let folder = folder.as_ref();
        let open = |published: PublishedWeights| -> Result<Checkpoint, LpipsError> {
            let path = published.find(folder);
            let path = path.ok_or_else(|| LpipsError::MissingWeights {
                folder: folder.to_owned(),
                published,
            })?;
            Ok(Checkpoint::open(path)?)
        };
        let [weights, heads] = network.published_weights(version).map(open);
        Self::from_checkpoints(network, version, &weights?, Some(&heads?), device)
    }

    /// The metric from open checkpoints: the network's weights under torchvision's names, and the heads under the
    /// authors' names (`lin{layer}.model.1.weight`). Without heads every channel counts the same: the authors'
    /// un-linear baseline (`lpips=False`).
    ///
    /// # Errors
    /// When a tensor is missing, of another shape, not finite, or left over.
    pub fn from_checkpoints(
        network: LpipsNetwork,
        version: Version,
        weights: &Checkpoint,
        heads: Option<&Checkpoint>,
        device: &Device,
    ) -> Result<Self, LpipsError> {
        let heads = match heads {
            Some(heads) => Heads::load(network.channels(), heads, device)?,
            None => Heads::ones(network.channels(), device),
        };
        let input_range = InputRange::default();
        Ok(Self {
            network,
            version,
            input_range,
            scaling: InputScaling::new(version, input_range, device),
            backbone: Backbone::load(network, weights, device)?,
            heads,
        })
    }

    /// The same metric for images of another value range.
    pub fn with_input_range(self, input_range: InputRange) -> Self {
        let device = self.heads.layer(0).device();
        Self {
            input_range,
            scaling: InputScaling::new(self.version, input_range, &device),
            ..self
        }
    }

    /// The un-linear baseline of the same network: squared differences are summed over the channels with weight 1.
    pub fn without_heads(self) -> Self {
        let device = self.heads.layer(0).device();
        Self {
            heads: Heads::ones(self.network.channels(), &device),
            ..self
        }
    }

    /// The network whose features are compared.
    pub fn network(&self) -> LpipsNetwork {
        self.network
    }

    /// Computes the features of `target` `[batch, 3, height, width]` once, as constants: no gradient reaches `target`.
    ///
    /// # Errors
    /// When the images are smaller than [`LpipsNetwork::min_size`], or have other than 3 channels.
    pub fn prepare(&self, target: Tensor<4>) -> Result<TargetFeatures, LpipsError> {
        self.check_images(&target)?;
        Ok(TargetFeatures {
            metric: self.metric(),
            image_shape: target.dims(),
            layers: self.normalized_features(target.without_autodiff()),
        })
    }

    /// Distance of each image of `x` from its target: `[batch]`, at least 0 with the published heads; 0 for equal
    /// images, up to rounding of 1e-13.
    ///
    /// `x` is `[batch, 3, height, width]`; the targets have the same size, and the same batch or 1. The gradient
    /// reaches `x` and is finite everywhere, also where `x` equals its target.
    ///
    /// # Panics
    /// When the shapes do not fit or the targets were prepared by another metric.
    pub fn distance_to(&self, target: &TargetFeatures, x: Tensor<4>) -> Tensor<1> {
        let [batch, ..] = x.dims();
        total(self.compare(target, x, Reduction::Mean)).reshape([batch])
    }

    /// The terms of [`Self::distance_to`], one `[batch]` a layer; their sum is the distance.
    ///
    /// # Panics
    /// As [`Self::distance_to`].
    pub fn layer_distances_to(&self, target: &TargetFeatures, x: Tensor<4>) -> Vec<Tensor<1>> {
        let [batch, ..] = x.dims();
        self.compare(target, x, Reduction::Mean)
            .map(|mean| mean.reshape([batch]))
            .collect()
    }

    /// Where the images differ: each layer's map enlarged bilinearly to the images' size, summed,
    /// `[batch, 1, height, width]` (`spatial=True` in the authors' package).
    ///
    /// Its mean is close to the distance but not equal to it, as enlarging weighs the pixels of a map unequally.
    ///
    /// # Panics
    /// As [`Self::distance_to`].
    pub fn spatial_distance_to(&self, target: &TargetFeatures, x: Tensor<4>) -> Tensor<4> {
        total(
            self.compare(target, x, Reduction::None)
                .map(|map| resize(map, target.size(), ResizeMethod::Bilinear)),
        )
    }

    /// Distance of each image of `x0` from its partner in `x1`, both `[batch, 3, height, width]`: `[batch]`. A single
    /// `x1` serves all images. Gradients reach both.
    ///
    /// # Errors
    /// When the images are smaller than [`LpipsNetwork::min_size`], or have other than 3 channels.
    ///
    /// # Panics
    /// When the shapes do not fit each other.
    pub fn distance(&self, x0: Tensor<4>, x1: Tensor<4>) -> Result<Tensor<1>, LpipsError> {
        self.check_images(&x1)?;
        let target = TargetFeatures {
            metric: self.metric(),
            image_shape: x1.dims(),
            layers: self.normalized_features(x1),
        };
        Ok(self.distance_to(&target, x0))
    }

    /// Distance of each image of `images` from its partner in `others`, from their features alone: `[batch]`. A single
    /// other serves all images.
    ///
    /// What [`Self::distance_to`] gives for the images, up to rounding, without running the network again: for
    /// comparisons of many with many.
    ///
    /// # Panics
    /// When the shapes do not fit or one of both was prepared by another metric.
    pub fn between(&self, images: &TargetFeatures, others: &TargetFeatures) -> Tensor<1> {
        assert_eq!(
            images.metric,
            self.metric(),
            "the images were prepared by another metric"
        );
        self.check_target(others, images.image_shape);
        let layers = images.layers.iter().zip(&others.layers).enumerate();
        total(layers.map(|(layer, (images, others))| {
            let difference = images.clone() - others.clone();
            let map = (difference.clone() * difference * self.heads.layer(layer)).sum_dim(1);
            let [batch, _, height, width] = map.dims();
            map.reshape([batch, height * width]).mean_dim(1)
        }))
        .reshape([images.batch()])
    }

    /// Vectors of images whose squared Euclidean distances are LPIPS, up to rounding: `[batch, n]` for `x`
    /// `[batch, 3, height, width]`.
    ///
    /// A row has the normalized features of all layers, each times the root of its weight over the layer's area. So
    /// differences of images have inner products, where a distance alone has lengths. A weight below zero counts as
    /// zero; the published heads have none. Gradients reach `x`.
    ///
    /// # Errors
    /// When the images are smaller than [`LpipsNetwork::min_size`], or have other than 3 channels.
    pub fn embedding(&self, x: Tensor<4>) -> Result<Tensor<2>, LpipsError> {
        self.check_images(&x)?;
        let layers = self.normalized_features(x).into_iter().enumerate();
        let weighted = layers.map(|(layer, features)| {
            let [_, _, height, width] = features.dims();
            let area = (height * width) as f64;
            let weights = self.heads.layer(layer).clamp_min(0.0).div_scalar(area);
            (features * weights.sqrt()).flatten(1, 3)
        });
        Ok(Tensor::cat(weighted.collect(), 1))
    }

    fn metric(&self) -> Metric {
        Metric {
            network: self.network,
            version: self.version,
            input_range: self.input_range,
        }
    }

    fn check_images(&self, x: &Tensor<4>) -> Result<(), LpipsError> {
        let [_, channels, height, width] = x.dims();
        if channels != RGB {
            return Err(LpipsError::Channels { found: channels });
        }
        let minimum = self.network.min_size();
        if height.min(width) < minimum {
            return Err(LpipsError::ImageTooSmall {
                network: self.network,
                height,
                width,
                minimum,
            });
        }
        Ok(())
    }

    #[track_caller]
    fn check_target(&self, target: &TargetFeatures, shape: [usize; 4]) {
        assert_eq!(
            target.metric,
            self.metric(),
            "the targets were prepared by another metric"
        );
        let [batch, channels, height, width] = shape;
        let [target_batch, ..] = target.image_shape;
        assert!(
            [channels, height, width] == target.image_shape[1..]
                && (batch == target_batch || target_batch == 1),
            "LPIPS compares images of one shape, or many with one target: found {:?} and targets of {:?}",
            shape,
            target.image_shape
        );
    }

    /// Activations of images `[batch, 3, height, width]`, one tensor a layer.
    fn activations(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        self.backbone.activations(self.scaling.apply(x))
    }

    /// The same with columns of unit length.
    fn normalized_features(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        self.activations(x)
            .into_iter()
            .map(normalize_columns)
            .collect()
    }

    /// The distances of each layer, reduced.
    fn compare<'a>(
        &'a self,
        target: &'a TargetFeatures,
        x: Tensor<4>,
        reduction: Reduction,
    ) -> impl Iterator<Item = Tensor<4>> + 'a {
        self.check_target(target, x.dims());
        self.activations(x)
            .into_iter()
            .zip(&target.layers)
            .enumerate()
            .map(move |(layer, (x, target))| {
                feature_distance(x, target.clone(), self.heads.layer(layer), reduction)
            })
    }
}

/// Sum of the layers' terms.
fn total<const D: usize>(terms: impl Iterator<Item = Tensor<D>>) -> Tensor<D> {
    terms
        .reduce(|sum, term| sum + term)
        .expect("every network has layers")
}
