use std::path::PathBuf;

/// Why statistics could not be computed, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// The file system refused.
    #[error("{path}: {source}; check that the file exists and can be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file does not hold what was asked for.
    #[error("{path}: not a file of {kind}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        kind: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// A covariance of too few features.
    #[error(
        "{found} features were added, the covariance with this ddof needs at least {required}; add more"
    )]
    TooFewSamples {
        /// How many were added.
        found: u64,
        /// How many are needed.
        required: u64,
    },
    /// Features or statistics of another dimension.
    #[error(
        "{what} has dimension {found}, expected {expected}; use the feature network that the statistics were made with"
    )]
    WrongDimension {
        /// What was given.
        what: &'static str,
        /// Its dimension.
        found: usize,
        /// The dimension of the statistics.
        expected: usize,
    },
    /// A number that is NaN or infinite.
    #[error(
        "{what} has the value {value} in row {row}, column {column}; expected finite numbers, so the network that made it overflowed or the file is damaged"
    )]
    NonFinite {
        /// What was given.
        what: &'static str,
        /// Row of the first such number.
        row: usize,
        /// Its column.
        column: usize,
        /// The number.
        value: f64,
    },
    /// A matrix that is not equal to its transpose.
    #[error(
        "{what} is not symmetric: entries ({row}, {column}) and ({column}, {row}) differ by {difference:e}; expected a covariance matrix"
    )]
    NotSymmetric {
        /// What was given.
        what: &'static str,
        /// Row of the largest difference.
        row: usize,
        /// Its column.
        column: usize,
        /// The difference.
        difference: f64,
    },
    /// A matrix without a Cholesky factor.
    #[error(
        "the covariance plus {ridge} on its diagonal is not positive definite (pivot {pivot} of {dimension}); use a larger ridge or more samples"
    )]
    NotPositiveDefinite {
        /// The ridge that was added.
        ridge: f64,
        /// Where the factorization stopped.
        pivot: usize,
        /// The matrix's dimension.
        dimension: usize,
    },
    /// A matrix without a real square root.
    #[error(
        "the matrix has the eigenvalue {eigenvalue:e} while its largest is {largest:e}; a square root needs all of them to be at least zero up to rounding, as a covariance's are"
    )]
    NotPositiveSemidefinite {
        /// The smallest eigenvalue.
        eigenvalue: f64,
        /// The largest.
        largest: f64,
    },
    /// A ridge that is no ridge.
    #[error("the ridge is {found}, expected a finite number of at least zero")]
    InvalidRidge {
        /// What was given.
        found: f64,
    },
    /// More components than dimensions, or none.
    #[error("{found} principal components were asked for, expected 1 to {dimension}")]
    InvalidComponentCount {
        /// What was asked for.
        found: usize,
        /// The features' dimension.
        dimension: usize,
    },
    /// The eigen-decomposition did not end.
    #[error(
        "the eigen-decomposition of a matrix of dimension {dimension} did not converge; its entries may span too many orders of magnitude"
    )]
    NoConvergence {
        /// The matrix's dimension.
        dimension: usize,
    },
}
