use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{Error, Model};

/// Numbers of a latent as text: base64 of f32, little-endian, row-major `[num_ws, w_dim]`. Exact, and a fifth of what
/// decimals take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LatentsText(String);

impl LatentsText {
    /// Latents `[num_ws, w_dim]` as text.
    pub fn of(w_plus: &Array2<f32>) -> Self {
        let bytes: Vec<u8> = w_plus.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self(STANDARD.encode(bytes))
    }

    /// The latents for a model.
    ///
    /// # Errors
    ///
    /// The text is no base64, or holds another number of latents than the model's, or numbers that are not finite.
    pub fn read(&self, model: &Model) -> Result<Array2<f32>, Error> {
        let synthesis = &model.generator.synthesis;
        let (layers, features) = (synthesis.num_ws(), synthesis.w_dim());
        let refused = |problem: String| Error::option("w_plus", "", problem);
        let bytes = STANDARD
            .decode(&self.0)
            .map_err(|reason| refused(format!("no base64 ({reason})")))?;
        let values: Vec<f32> = bytes
            .chunks_exact(size_of::<f32>())
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        if bytes.len() != layers * features * size_of::<f32>() {
            return Err(refused(format!(
                "{} bytes; the latents of {} are {layers} x {features} numbers of 4 bytes",
                bytes.len(),
                model.name
            )));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(refused("has numbers that are not finite".to_owned()));
        }
        Ok(Array2::from_shape_vec((layers, features), values)
            .expect("as many values as the shape says"))
    }
}
