use serde::{Deserialize, Serialize};

/// Activations of the official `bias_act` table, with their default gains and slopes. In files they have the official
/// names.
///
/// ```
/// use stylegan2_ops::Activation;
///
/// let name = serde_json::to_string(&Activation::LeakyRelu).expect("a name");
/// assert_eq!(name, r#""lrelu""#);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `y = x`, gain 1.
    #[default]
    Linear,
    /// `y = max(x, 0)`, gain sqrt 2.
    Relu,
    /// `y = x` where positive, else `alpha x` (alpha 0.2), gain sqrt 2.
    #[serde(rename = "lrelu")]
    LeakyRelu,
    /// Hyperbolic tangent, gain 1.
    Tanh,
    /// Logistic function, gain 1.
    Sigmoid,
    /// `y = x` where positive, else `exp(x) - 1`, gain 1.
    Elu,
    /// Scaled exponential linear unit, gain 1.
    Selu,
    /// `y = ln(1 + exp(x))`, gain 1.
    Softplus,
    /// `y = x sigmoid(x)`, gain sqrt 2.
    Swish,
}

/// Scale of the scaled exponential linear unit; Klambauer et al. 2017, "Self-normalizing neural networks", equation 14.
pub(crate) const SELU_SCALE: f32 = 1.050_701;

/// Its negative limit before the scale; the same equation.
pub(crate) const SELU_ALPHA: f32 = 1.673_263_2;

impl Activation {
    /// Gain that keeps the variance of a standard normal input, as in the official table.
    pub fn default_gain(self) -> f32 {
        match self {
            Self::Relu | Self::LeakyRelu | Self::Swish => std::f32::consts::SQRT_2,
            _ => 1.0,
        }
    }

    /// Slope of the negative side where the activation has one.
    pub fn default_alpha(self) -> f32 {
        match self {
            Self::LeakyRelu => 0.2,
            _ => 0.0,
        }
    }
}
