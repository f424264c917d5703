use serde::{Deserialize, Serialize};
use stylegan2_ops::Activation;

/// An activation of the official `bias_act` table by its official name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(
    missing_docs,
    reason = "the names are the official ones; `stylegan2_ops::Activation` has the equations"
)]
pub enum ActivationName {
    Linear,
    Relu,
    #[default]
    Lrelu,
    Tanh,
    Sigmoid,
    Elu,
    Selu,
    Softplus,
    Swish,
}

impl From<ActivationName> for Activation {
    fn from(name: ActivationName) -> Self {
        match name {
            ActivationName::Linear => Self::Linear,
            ActivationName::Relu => Self::Relu,
            ActivationName::Lrelu => Self::LeakyRelu,
            ActivationName::Tanh => Self::Tanh,
            ActivationName::Sigmoid => Self::Sigmoid,
            ActivationName::Elu => Self::Elu,
            ActivationName::Selu => Self::Selu,
            ActivationName::Softplus => Self::Softplus,
            ActivationName::Swish => Self::Swish,
        }
    }
}
