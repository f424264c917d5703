//! Offsets of features, as refined inversions have them, without a device.

use burn::tensor::{Device, Tensor, TensorData};
use ganspace::{Easing, Interpolation, Path};
use ndarray::Array2;
use stylegan2::{FeatureOffset, FileOffset};

use crate::{Error, Model};

/// What is added to the features behind one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Offset {
    /// Side of the block's output.
    pub block: usize,
    /// `[channels, block * block]`.
    pub values: Array2<f32>,
}

impl Offset {
    /// That of the only image of a tensor.
    pub fn of_tensor(offset: &FeatureOffset) -> Self {
        let [_, channels, height, width] = offset.values.dims();
        let values = offset.values.clone().into_data().iter::<f32>().collect();
        Self {
            block: offset.resolution,
            values: Array2::from_shape_vec((channels, height * width), values)
                .expect("as many values as one image's shape says"),
        }
    }

    /// That of a file, for a model.
    ///
    /// # Errors
    ///
    /// The model has no such block, or one of other channels.
    pub fn of_file(offset: FileOffset, model: &Model) -> Result<Self, Error> {
        let area = offset.resolution * offset.resolution;
        let values = Array2::from_shape_vec((offset.channels, area), offset.values)
            .expect("read as an array of this shape");
        let offset = Self {
            block: offset.resolution,
            values,
        };
        offset.check(model)?;
        Ok(offset)
    }

    /// Whether a model has such features.
    ///
    /// # Errors
    ///
    /// It has no such block, or one of other channels.
    pub fn check(&self, model: &Model) -> Result<(), Error> {
        let sides: Vec<usize> = model.generator.synthesis.inner_resolutions().collect();
        let channels = self.values.nrows();
        let refused = |problem: String| {
            Err(Error::Model {
                model: model.name.clone(),
                problem,
            })
        };
        if !sides.contains(&self.block) {
            return refused(format!(
                "the latent has an offset of the features of block {}; this model has the blocks {sides:?}",
                self.block
            ));
        }
        let expected = model.generator.config().channels(self.block);
        if channels != expected {
            return refused(format!(
                "the latent has an offset of {channels} features of block {}; this model has {expected} there",
                self.block
            ));
        }
        Ok(())
    }
}

/// Offsets of a batch of images of one model as a tensor; none where no image has one.
///
/// # Errors
///
/// Two are of different blocks.
pub fn batch(offsets: &[Option<&Offset>], device: &Device) -> Result<Option<FeatureOffset>, Error> {
    let Some(first) = offsets.iter().flatten().next() else {
        return Ok(None);
    };
    let (channels, area) = first.values.dim();
    let mut values = Vec::with_capacity(offsets.len() * channels * area);
    for offset in offsets {
        match offset {
            Some(offset) if offset.block == first.block => values.extend(&offset.values),
            Some(offset) => return Err(different_blocks(first.block, offset.block)),
            None => values.resize(values.len() + channels * area, 0.0),
        }
    }
    let shape = [offsets.len(), channels, first.block, first.block];
    Ok(Some(FeatureOffset {
        resolution: first.block,
        values: Tensor::from_data(TensorData::new(values, shape), device),
    }))
}

fn different_blocks(one: usize, other: usize) -> Error {
    Error::option(
        "refine_block",
        other,
        format!(
            "another latent has its offset behind block {one}, and only offsets of one block can be joined; refine both with one block"
        ),
    )
}

/// Offsets on the way through latents: they change as the latents do, in a straight line.
#[derive(Clone, Debug)]
pub struct OffsetPath {
    block: usize,
    path: Path,
}

impl OffsetPath {
    /// Through the offsets of latents in order, those without one at zero; none where no latent has one.
    ///
    /// # Errors
    ///
    /// Two are of different blocks.
    pub fn new(
        offsets: &[Option<&Offset>],
        easing: Easing,
        closed: bool,
    ) -> Result<Option<Self>, Error> {
        let Some(first) = offsets.iter().flatten().next() else {
            return Ok(None);
        };
        let points = offsets
            .iter()
            .map(|offset| match offset {
                Some(offset) if offset.block == first.block => Ok(offset.values.clone()),
                Some(offset) => Err(different_blocks(first.block, offset.block)),
                None => Ok(Array2::zeros(first.values.dim())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let path = Path::new(points, Interpolation::Linear, easing)?;
        Ok(Some(Self {
            block: first.block,
            path: if closed { path.closed() } else { path },
        }))
    }

    /// The offset at a time, 0 the start and 1 the end.
    pub fn at(&self, time: f64) -> Offset {
        Offset {
            block: self.block,
            values: self.path.at(time),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn offset(block: usize, value: f32) -> Offset {
        Offset {
            block,
            values: Array2::from_elem((3, block * block), value),
        }
    }

    #[test]
    fn images_without_an_offset_have_zeros() {
        let device = Device::flex();
        assert!(batch(&[None, None], &device).unwrap().is_none());
        let (one, other) = (offset(2, 1.5), offset(4, 1.0));
        let found = batch(&[None, Some(&one)], &device).unwrap().unwrap();
        assert_eq!(found.values.dims(), [2, 3, 2, 2]);
        let values: Vec<f32> = found.values.into_data().iter::<f32>().collect();
        assert_eq!(values, [[0.0; 12], [1.5; 12]].concat());
        let refused = batch(&[Some(&one), Some(&other)], &device).unwrap_err();
        assert!(refused.to_string().contains("block 2"), "{refused}");
    }

    #[test]
    fn offsets_fade_along_a_path() {
        assert!(
            OffsetPath::new(&[None, None], Easing::Linear, false)
                .unwrap()
                .is_none()
        );
        let one = offset(2, 2.0);
        let path = OffsetPath::new(&[Some(&one), None], Easing::Linear, false);
        let path = path.unwrap().unwrap();
        assert_eq!(path.at(0.0), one);
        assert_eq!(path.at(0.25), offset(2, 1.5));
        assert_eq!(path.at(1.0), offset(2, 0.0));
        let other = offset(4, 1.0);
        assert!(OffsetPath::new(&[Some(&one), Some(&other)], Easing::Linear, true).is_err());
    }
}
