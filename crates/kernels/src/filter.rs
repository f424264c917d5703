/// A two-dimensional FIR filter, kept on the host because it is a constant of the network.
///
/// Follows `setup_filter` of the official `upfirdn2d.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    height: usize,
    width: usize,
    taps: Vec<f32>,
    separable: Option<(Vec<f32>, Vec<f32>)>,
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
        let separable = factorise(height, width, &taps);
        Self {
            height,
            width,
            taps,
            separable,
        }
    }

    /// The outer product of `taps` with itself, scaled to sum 1; `[1, 3, 3, 1]` is StyleGAN2's filter.
    pub fn normalised_outer(taps: &[f32]) -> Self {
        let sum: f32 = taps.iter().sum();
        let row: Vec<f32> = taps.iter().map(|t| t / sum).collect();
        let size = row.len();
        let outer = row
            .iter()
            .flat_map(|a| row.iter().map(move |b| a * b))
            .collect();
        Self {
            height: size,
            width: size,
            taps: outer,
            separable: Some((row.clone(), row)),
        }
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
            .map(|(column, row)| (column.as_slice(), row.as_slice()))
    }
}

fn factorise(height: usize, width: usize, taps: &[f32]) -> Option<(Vec<f32>, Vec<f32>)> {
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
    rank_one.then_some((column, row))
}
