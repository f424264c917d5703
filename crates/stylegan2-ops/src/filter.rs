use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::FilterError;

/// A two-dimensional FIR filter, kept on the host because it is a constant of the network.
///
/// Follows `setup_filter` of the official `upfirdn2d.py`. Cloning is cheap: the taps are shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    height: usize,
    width: usize,
    taps: Arc<[f32]>,
    separable: Option<Factors>,
}

/// Two vectors whose outer product is a filter.
#[derive(Clone, Debug, PartialEq)]
struct Factors {
    column: Arc<[f32]>,
    row: Arc<[f32]>,
}

/// What [`Filter::from_row`] and [`Filter::from_taps`] do with the taps, in this order; the default is the official
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterOptions {
    /// Scales the taps to sum 1, so that a constant image keeps its value.
    pub normalize: bool,
    /// Reverses the taps along both axes.
    pub flip: bool,
    /// Factor on the whole two-dimensional filter.
    pub gain: f32,
}

impl Default for FilterOptions {
    fn default() -> Self {
        Self {
            normalize: true,
            flip: false,
            gain: 1.0,
        }
    }
}

impl Filter {
    /// A filter from `height * width` taps, row-major. Its rank-one factors, if it has them, are found.
    ///
    /// # Panics
    /// When `taps` is empty or does not have `height * width` elements.
    pub fn new(height: usize, width: usize, taps: Vec<f32>) -> Self {
        assert!(
            !taps.is_empty() && taps.len() == height * width,
            "a {height}x{width} filter needs {} taps, found {}",
            height * width,
            taps.len()
        );
        let separable = factorize(height, width, &taps);
        Self {
            height,
            width,
            taps: taps.into(),
            separable,
        }
    }

    /// The outer product of `taps` with itself, scaled to sum 1; `[1, 3, 3, 1]` is StyleGAN2's filter.
    ///
    /// # Panics
    /// When `taps` is empty or sums to 0; [`Filter::from_row`] returns an error instead.
    pub fn normalized_outer(taps: &[f32]) -> Self {
        match Self::from_row(taps, FilterOptions::default()) {
            Ok(filter) => filter,
            Err(error) => panic!("{error}"),
        }
    }

    /// The outer product of one-dimensional `taps` with itself, as the official `setup_filter` makes it of a list.
    ///
    /// ```
    /// use stylegan2_ops::{Filter, FilterOptions};
    ///
    /// let filter = Filter::from_row(&[1.0, 1.0], FilterOptions::default())?;
    /// assert_eq!(filter.taps(), [0.25, 0.25, 0.25, 0.25]);
    /// # Ok::<(), stylegan2_ops::FilterError>(())
    /// ```
    ///
    /// # Errors
    /// When there are no taps, a tap or the gain is not finite, or taps that sum to 0 are to be normalized.
    pub fn from_row(taps: &[f32], options: FilterOptions) -> Result<Self, FilterError> {
        let size = taps.len();
        check(size, size, taps, size)?;
        let mut row = prepare(taps, options)?;
        // Each of the two factors carries the root of the gain; the sign goes to one of them.
        let root = options.gain.abs().sqrt();
        for tap in &mut row {
            *tap *= root;
        }
        let column: Vec<f32> = row.iter().map(|t| t * options.gain.signum()).collect();
        let outer: Vec<f32> = column
            .iter()
            .flat_map(|a| row.iter().map(move |b| a * b))
            .collect();
        Ok(Self {
            height: size,
            width: size,
            taps: outer.into(),
            separable: Some(Factors {
                column: column.into(),
                row: row.into(),
            }),
        })
    }

    /// A filter of `height * width` row-major taps, as the official `setup_filter` makes it of a nested list.
    ///
    /// # Errors
    /// When the number of taps is 0 or not `height * width`, a tap or the gain is not finite, or taps that sum to 0 are
    /// to be normalized.
    pub fn from_taps(
        height: usize,
        width: usize,
        taps: &[f32],
        options: FilterOptions,
    ) -> Result<Self, FilterError> {
        check(height, width, taps, height.saturating_mul(width))?;
        let mut taps = prepare(taps, options)?;
        for tap in &mut taps {
            *tap *= options.gain;
        }
        Ok(Self::new(height, width, taps))
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All taps, row-major.
    pub fn taps(&self) -> &[f32] {
        &self.taps
    }

    /// Column (vertical) and row (horizontal) factors whose outer product is the filter, where it has rank one.
    pub fn separable(&self) -> Option<(&[f32], &[f32])> {
        self.separable
            .as_ref()
            .map(|factors| (&*factors.column, &*factors.row))
    }
}

fn check(height: usize, width: usize, taps: &[f32], count: usize) -> Result<(), FilterError> {
    if height == 0 || width == 0 {
        return Err(FilterError::EmptyFilter { height, width });
    }
    if taps.len() != count {
        return Err(FilterError::TapCount {
            height,
            width,
            found: taps.len(),
        });
    }
    Ok(())
}

fn prepare(taps: &[f32], options: FilterOptions) -> Result<Vec<f32>, FilterError> {
    let finite = |what: String, value: f32| match value.is_finite() {
        true => Ok(()),
        false => Err(FilterError::NotFinite { what, value }),
    };
    for (index, tap) in taps.iter().enumerate() {
        finite(format!("tap {index}"), *tap)?;
    }
    finite("gain".to_owned(), options.gain)?;
    let mut taps = taps.to_vec();
    if options.normalize {
        let sum: f32 = taps.iter().sum();
        if sum == 0.0 || !sum.is_finite() {
            return Err(FilterError::ZeroSum { sum });
        }
        for tap in &mut taps {
            *tap /= sum;
        }
    }
    if options.flip {
        taps.reverse();
    }
    Ok(taps)
}

fn factorize(height: usize, width: usize, taps: &[f32]) -> Option<Factors> {
    let pivot = (0..taps.len()).max_by(|a, b| taps[*a].abs().total_cmp(&taps[*b].abs()))?;
    if taps[pivot] == 0.0 {
        return None;
    }
    let (pivot_row, pivot_column) = (pivot / width, pivot % width);
    let row: Vec<f32> = taps[pivot_row * width..][..width].to_vec();
    let column: Vec<f32> = (0..height)
        .map(|y| taps[y * width + pivot_column] / taps[pivot])
        .collect();
    // Taps of rank one are products rounded once; anything further off is another filter.
    let tolerance = 4.0 * f32::EPSILON * taps[pivot].abs();
    let rank_one = (0..height)
        .all(|y| (0..width).all(|x| (column[y] * row[x] - taps[y * width + x]).abs() <= tolerance));
    rank_one.then(|| Factors {
        column: column.into(),
        row: row.into(),
    })
}
