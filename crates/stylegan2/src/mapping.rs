use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::config::MappingConfig;
use crate::fully_connected::{FullyConnected, FullyConnectedOptions};
use crate::initializer::Initializer;

/// Added to the mean square before the root, as in the official code.
const NORMALIZATION_EPSILON: f32 = 1e-8;

/// The truncation trick (Karras et al. 2019, appendix B): latents are pulled towards their mean,
/// `w_avg + psi (w - w_avg)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// Factor on the distance from the mean: 1 leaves w as it is, 0 gives the mean.
    pub psi: f32,
    /// Number of first layers that are truncated; `None` truncates all.
    pub cutoff: Option<usize>,
}

impl Truncation {
    /// No truncation.
    pub const NONE: Self = Self {
        psi: 1.0,
        cutoff: None,
    };

    /// Truncation of all layers.
    pub fn psi(psi: f32) -> Self {
        Self { psi, cutoff: None }
    }
}

impl Default for Truncation {
    fn default() -> Self {
        Self::NONE
    }
}

/// The mapping network f: z (and a label c) to the intermediate latent w (Karras et al. 2019, figure 1).
#[derive(Module, Debug)]
pub struct MappingNetwork {
    embed: Option<FullyConnected>,
    layers: Vec<FullyConnected>,
    /// Running average of w, `[w_dim]`; a buffer, not trained.
    w_avg: Option<Param<Tensor<1>>>,
    #[module(skip)]
    shape: MappingShape,
}

#[derive(Clone, Copy, Debug)]
struct MappingShape {
    z_dim: usize,
    c_dim: usize,
    w_dim: usize,
    num_ws: usize,
    w_avg_beta: f32,
}

impl MappingNetwork {
    /// `num_ws` is `None` for the discriminator's mapping, which neither broadcasts nor tracks an average.
    pub(crate) fn new(
        config: &MappingConfig,
        z_dim: usize,
        c_dim: usize,
        w_dim: usize,
        num_ws: Option<usize>,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let embed = (c_dim > 0).then(|| {
            FullyConnected::new(
                c_dim,
                config.embedding(c_dim, w_dim),
                FullyConnectedOptions::default(),
                initializer,
            )
        });
        let layers = config
            .layers(z_dim, c_dim, w_dim)
            .into_iter()
            .map(|(inputs, outputs)| {
                FullyConnected::new(
                    inputs,
                    outputs,
                    FullyConnectedOptions {
                        activation: config.activation.into(),
                        lr_multiplier: config.lr_multiplier,
                        bias_init: 0.0,
                    },
                    initializer,
                )
            })
            .collect();
        let tracked = num_ws.and(config.w_avg_beta);
        Self {
            embed,
            layers,
            w_avg: tracked.map(|_| initializer.constant([w_dim], 0.0).set_require_grad(false)),
            shape: MappingShape {
                z_dim,
                c_dim,
                w_dim,
                num_ws: num_ws.unwrap_or(1),
                w_avg_beta: tracked.unwrap_or(1.0),
            },
        }
    }

    /// Features of z, 0 where the network takes none.
    pub fn z_dim(&self) -> usize {
        self.shape.z_dim
    }

    /// Features of the label, 0 for an unconditional network.
    pub fn c_dim(&self) -> usize {
        self.shape.c_dim
    }

    /// Features of w.
    pub fn w_dim(&self) -> usize {
        self.shape.w_dim
    }

    /// Number of layers that take a w.
    pub fn num_ws(&self) -> usize {
        self.shape.num_ws
    }

    /// The intermediate latent w `[batch, w_dim]` of z `[batch, z_dim]` and, for a conditional network, labels c
    /// `[batch, c_dim]`.
    ///
    /// z and the embedded label are each scaled to a mean square of 1, so a label's length has an effect only through
    /// the embedding's bias. An unconditional network ignores `c`, and one with `z_dim` 0 ignores `z`.
    ///
    /// # Panics
    /// When a shape differs, or a conditional network gets no labels.
    pub fn w(&self, z: Tensor<2>, c: Option<Tensor<2>>) -> Tensor<2> {
        self.map_to_w((self.shape.z_dim > 0).then_some(z), c)
    }

    /// As [`w`](Self::w), for a network without z.
    pub(crate) fn label_to_w(&self, c: Option<Tensor<2>>) -> Tensor<2> {
        self.map_to_w(None, c)
    }

    fn map_to_w(&self, z: Option<Tensor<2>>, c: Option<Tensor<2>>) -> Tensor<2> {
        let z = z.map(|z| {
            let [_, features] = z.dims();
            assert_eq!(
                features,
                self.shape.z_dim,
                "the mapping network expects z of shape [batch, {}], found {:?}",
                self.shape.z_dim,
                z.dims()
            );
            normalize_second_moment(z)
        });
        let label = self.embed.as_ref().map(|embed| {
            let c = c.unwrap_or_else(|| {
                panic!(
                    "a class-conditional network expects labels of shape [batch, {}], found none",
                    self.shape.c_dim
                )
            });
            assert_eq!(
                c.dims()[1],
                self.shape.c_dim,
                "the mapping network expects labels of shape [batch, {}], found {:?}",
                self.shape.c_dim,
                c.dims()
            );
            normalize_second_moment(embed.forward(c))
        });
        let x = match (z, label) {
            (Some(z), Some(label)) => Tensor::cat(vec![z, label], 1),
            (Some(x), None) | (None, Some(x)) => x,
            (None, None) => unreachable!("a validated configuration has an input"),
        };
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }

    /// The latents of all layers, w_plus `[batch, num_ws, w_dim]`, of z `[batch, z_dim]` and labels c `[batch, c_dim]`.
    ///
    /// Differs from the official forward pass: the running average of w is only moved by
    /// [`update_w_avg`](Self::update_w_avg), so that evaluating never changes the network.
    ///
    /// # Panics
    /// As [`w`](Self::w), and when `truncation` needs an average that the network does not track.
    pub fn forward(&self, z: Tensor<2>, c: Option<Tensor<2>>, truncation: Truncation) -> Tensor<3> {
        self.truncate(self.w(z, c), truncation)
    }

    /// Truncates w `[batch, w_dim]` and repeats it for every layer: w_plus `[batch, num_ws, w_dim]`.
    ///
    /// # Panics
    /// When `truncation.psi` is not 1 and the network tracks no average.
    pub fn truncate(&self, w: Tensor<2>, truncation: Truncation) -> Tensor<3> {
        let num_ws = self.shape.num_ws;
        let cutoff = truncation.cutoff.unwrap_or(num_ws).min(num_ws);
        if truncation.psi == 1.0 || cutoff == 0 {
            return broadcast(w, num_ws);
        }
        let center: Tensor<2> = self
            .w_avg()
            .expect("truncation towards the running average of w, found a network whose w_avg_beta is null")
            .unsqueeze();
        let truncated = center.clone() + (w.clone() - center).mul_scalar(truncation.psi);
        if cutoff == num_ws {
            return broadcast(truncated, num_ws);
        }
        Tensor::cat(
            vec![broadcast(truncated, cutoff), broadcast(w, num_ws - cutoff)],
            1,
        )
    }

    /// Whether the network has a running average of w, as all but a few special ones do.
    pub fn tracks_w_avg(&self) -> bool {
        self.w_avg.is_some()
    }

    /// The running average of w, `[w_dim]`; none where the network's `w_avg_beta` is null.
    pub fn w_avg(&self) -> Option<Tensor<1>> {
        self.w_avg.as_ref().map(Param::val)
    }

    /// Moves the running average towards the mean of w `[batch, w_dim]`: `w_avg <- mean(w) + beta (w_avg - mean(w))`.
    ///
    /// Does nothing where no average is tracked.
    pub fn update_w_avg(&mut self, w: Tensor<2>) {
        let beta = self.shape.w_avg_beta;
        let width = self.shape.w_dim;
        self.w_avg = self.w_avg.take().map(|average| {
            average.map(|old| {
                let mean: Tensor<1> = w.detach().mean_dim(0).reshape([width]);
                let old = old.detach();
                mean.clone() + (old - mean).mul_scalar(beta)
            })
        });
    }
}

/// Repeats w `[batch, w_dim]` to w_plus `[batch, layers, w_dim]`.
pub(crate) fn broadcast(w: Tensor<2>, layers: usize) -> Tensor<3> {
    let [batch, features] = w.dims();
    w.unsqueeze_dim::<3>(1).expand([batch, layers, features])
}

/// Scales each row to a mean square of 1.
fn normalize_second_moment(x: Tensor<2>) -> Tensor<2> {
    let mean_square = (x.clone() * x.clone()).mean_dim(1);
    x / (mean_square + NORMALIZATION_EPSILON).sqrt()
}
