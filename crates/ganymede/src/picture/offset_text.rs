use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::feature_offset::Offset;
use crate::{Error, Model};

/// An offset of the features behind one block as text: base64 of 16-bit floats, little-endian, row-major
/// `[channels, block, block]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetText {
    /// Side of the block's output.
    pub block: usize,
    /// The numbers.
    pub values: String,
}

impl OffsetText {
    /// An offset as text, rounded to 16 bits.
    pub fn of(offset: &Offset) -> Self {
        let numbers = offset.values.iter();
        let bytes: Vec<u8> = numbers
            .flat_map(|value| f16::from_f32(*value).to_le_bytes())
            .collect();
        Self {
            block: offset.block,
            values: STANDARD.encode(bytes),
        }
    }

    /// The offset for a model.
    ///
    /// # Errors
    ///
    /// The text is no base64, the model has no such features, or a number is not finite.
    pub fn read(&self, model: &Model) -> Result<Offset, Error> {
        let refused = |problem: String| Error::option("offset", "", problem);
        let bytes = STANDARD
            .decode(&self.values)
            .map_err(|reason| refused(format!("no base64 ({reason})")))?;
        let sides: Vec<usize> = model.generator.synthesis.inner_resolutions().collect();
        if !sides.contains(&self.block) {
            return Err(refused(format!(
                "of block {}; {} has the blocks {sides:?}",
                self.block, model.name
            )));
        }
        let channels = model.generator.config().channels(self.block);
        let area = self.block * self.block;
        let values: Vec<f32> = bytes
            .chunks_exact(size_of::<f16>())
            .map(|two| f16::from_le_bytes([two[0], two[1]]).to_f32())
            .collect();
        if bytes.len() != channels * area * size_of::<f16>() {
            return Err(refused(format!(
                "{} bytes; the features of block {} of {} are {channels} x {area} numbers of 2 bytes",
                bytes.len(),
                self.block,
                model.name
            )));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(refused("has numbers that are not finite".to_owned()));
        }
        Ok(Offset {
            block: self.block,
            values: Array2::from_shape_vec((channels, area), values)
                .expect("as many values as the shape says"),
        })
    }
}
