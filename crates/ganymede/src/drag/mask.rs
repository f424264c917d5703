use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Pixels that may change, as text: base64 of one byte a pixel, row by row; 0 is to stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mask(String);

impl Mask {
    /// Of a picture's pixels, row by row: which may change.
    pub fn of(free: &[bool]) -> Self {
        let bytes: Vec<u8> = free.iter().map(|free| u8::from(*free)).collect();
        Self(STANDARD.encode(bytes))
    }

    /// 1 where the picture is to stay, `[1, 1, side, side]`.
    pub(super) fn fixed(&self, side: u32, device: &Device) -> Result<Tensor<4>, Error> {
        let refused = |problem: String| Error::option("mask", "", problem);
        let bytes = STANDARD
            .decode(&self.0)
            .map_err(|reason| refused(format!("no base64 ({reason})")))?;
        let side = side as usize;
        if bytes.len() != side * side {
            return Err(refused(format!(
                "{} bytes, expected one for each of {side}x{side} pixels",
                bytes.len()
            )));
        }
        let fixed: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte == 0)).collect();
        Ok(Tensor::from_data(
            TensorData::new(fixed, [1, 1, side, side]),
            device,
        ))
    }
}
