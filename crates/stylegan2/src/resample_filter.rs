use std::sync::Arc;

use checkpoint_file::StoredTensor;
use stylegan2_ops::Filter;

use crate::StyleGan2Error;
use crate::config::ResampleTaps;

/// Most taps of a filter along one axis; the official networks use 4 (12 in a few ablations).
pub(crate) const MAX_TAPS: usize = 64;

/// The buffer `resample_filter` of an official layer: a constant of the network, kept on the host.
///
/// The official layers hold one even where they do not resample, and their files list it, so every layer here has one
/// too.
#[derive(Clone, Debug)]
pub(crate) struct ResampleFilter {
    filter: Arc<Filter>,
    /// Taps of a filter that official files hold as one-dimensional.
    factor: Option<Arc<[f32]>>,
}

/// From this many taps on, the official `setup_filter` keeps a one-dimensional filter as it is.
const SEPARABLE_FROM: usize = 8;

impl ResampleFilter {
    /// The buffer that the official layers make of the option.
    pub(crate) fn new(option: &ResampleTaps) -> Result<Self, StyleGan2Error> {
        let factor = match option {
            ResampleTaps::Separable(taps) if taps.len() >= SEPARABLE_FROM => {
                let sum: f32 = taps.iter().sum();
                Some(taps.iter().map(|tap| tap / sum).collect())
            }
            _ => None,
        };
        Ok(Self {
            filter: Arc::new(option.filter()?),
            factor,
        })
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What a stored filter has to be.
    pub(crate) fn expected() -> String {
        format!("one or two dimensions of 1 to {MAX_TAPS} finite floating-point numbers")
    }

    /// Takes the filter of a file, or says what it is where it is no filter.
    pub(crate) fn load(&mut self, stored: &StoredTensor) -> Result<(), String> {
        if !stored.dtype().is_float() {
            return Err(format!("has element type {:?}", stored.dtype()));
        }
        let shape = stored.shape();
        if !matches!(shape.len(), 1 | 2) || shape.iter().any(|n| !(1..=MAX_TAPS).contains(n)) {
            return Err(format!("has shape {shape:?}"));
        }
        let taps = stored.to_f32();
        if let Some(tap) = taps.iter().find(|tap| !tap.is_finite()) {
            return Err(format!("has the value {tap}"));
        }
        // The filter of the option has exact factors; those found again in its rounded products would change images by
        // a rounding.
        let own = self.stored();
        if own.shape() == shape && own.to_f32() == taps {
            return Ok(());
        }
        *self = match shape {
            [height, width] => Self {
                filter: Arc::new(Filter::new(*height, *width, taps)),
                factor: None,
            },
            _ => Self {
                filter: Arc::new(outer(&taps)),
                factor: Some(taps.into()),
            },
        };
        Ok(())
    }

    /// The buffer as official files hold it.
    pub(crate) fn stored(&self) -> StoredTensor {
        match &self.factor {
            Some(taps) => StoredTensor::from_f32(vec![taps.len()], taps),
            None => StoredTensor::from_f32(
                vec![self.filter.height(), self.filter.width()],
                self.filter.taps(),
            ),
        }
    }
}

/// A one-dimensional buffer is applied along both axes; unlike the option, it is used as it is, without scaling.
fn outer(taps: &[f32]) -> Filter {
    let products = taps
        .iter()
        .flat_map(|a| taps.iter().map(move |b| a * b))
        .collect();
    Filter::new(taps.len(), taps.len(), products)
}
