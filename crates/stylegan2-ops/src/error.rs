/// What can be wrong with the values that a user gives this crate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// A filter without taps.
    #[error("a {height}x{width} filter has no taps; give at least one row and one column")]
    EmptyFilter {
        /// Number of rows asked for.
        height: usize,
        /// Number of columns asked for.
        width: usize,
    },
    /// The number of taps is not the product of the filter's sides.
    #[error("a {height}x{width} filter needs {} taps, found {found}", height.saturating_mul(*width))]
    TapCount {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
        /// Number of taps given.
        found: usize,
    },
    /// A tap or the gain is infinite or not a number.
    #[error("filter {what} is {value}; it must be a finite number")]
    NotFinite {
        /// `gain`, or `tap` with its index.
        what: String,
        /// Its value.
        value: f32,
    },
    /// A filter that cannot be scaled to sum 1.
    #[error(
        "the filter's taps sum to {sum}, so they cannot be normalized to 1; switch normalization off"
    )]
    ZeroSum {
        /// The sum of all taps.
        sum: f32,
    },
}
