use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, CheckpointError, load_module};

/// The learned weights `w_lc` as 1x1 convolutions to one channel, without bias.
#[derive(Module, Debug)]
pub(crate) struct Heads {
    /// One `[1, channels, 1, 1]` a layer.
    lin: Vec<Param<Tensor<4>>>,
}

impl Heads {
    /// Loads the `lin{layer}.model.1.weight` of the authors' files.
    pub fn load(
        channels: &[usize],
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        load_module(&Self::ones(channels, device), checkpoint, |path| {
            let layer = path.strip_prefix("lin.").unwrap_or(path);
            // Index 1 of the authors' sequence; index 0 is a dropout.
            format!("lin{layer}.model.1.weight")
        })
    }

    /// Heads for which all channels count the same.
    pub fn ones(channels: &[usize], device: &Device) -> Self {
        // Constants, as the network's weights: no gradient of theirs is ever computed.
        let device = device.clone().without_autodiff();
        let one = |&count: &usize| {
            Param::from_tensor(Tensor::ones([1, count, 1, 1], &device)).set_require_grad(false)
        };
        Self {
            lin: channels.iter().map(one).collect(),
        }
    }

    /// Weights of one layer, `[1, channels, 1, 1]`.
    pub fn layer(&self, layer: usize) -> Tensor<4> {
        self.lin[layer].val()
    }
}
