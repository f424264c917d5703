use std::path::PathBuf;

use feature_stats::StatsError;

/// Why an index could not be built, read, changed or searched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrievalError {
    /// The file system refused.
    #[error("{path}: {source}; check that the file exists and can be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file starts unlike any index.
    #[error("{path}: not an index of models: {reason}")]
    NotAnIndex {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// An index of another version of this crate.
    #[error(
        "{path}: index format {found}, expected {expected}; build the index again from the models' statistics"
    )]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The version that this crate reads.
        expected: u32,
    },
    /// The file ends too early.
    #[error(
        "{path}: {found} bytes, expected at least {expected}; the file was cut off, copy or build it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The length that its header gives.
        expected: u64,
    },
    /// Bytes that are not those that were written.
    #[error(
        "{path}: the checksum of {what} at byte {position} is wrong; the file is damaged, copy or build it again"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: &'static str,
        /// Where it starts.
        position: u64,
    },
    /// Parts that contradict one another, with right checksums.
    #[error("{path}: damaged at byte {position}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// What was found and what was expected.
        reason: String,
    },
    /// Another process is changing the index.
    #[error("{path}: another process is changing this index; wait for it to finish")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Models that were prepared for an index of another kind.
    #[error(
        "{path}: the models were prepared with another {what} than the index has; create the builder from the index's settings"
    )]
    SettingsDiffer {
        /// The index.
        path: PathBuf,
        /// The first setting that differs.
        what: &'static str,
    },
    /// A setting outside its range.
    #[error("{what} is {found}, expected {expected}")]
    InvalidSetting {
        /// The setting.
        what: &'static str,
        /// What was given.
        found: String,
        /// What is possible.
        expected: &'static str,
    },
    /// Statistics that cannot be used.
    #[error("model {model:?}: {source}")]
    Statistics {
        /// The model.
        model: String,
        /// Why.
        source: StatsError,
    },
    /// The covariance of a query cannot be used.
    #[error("the query's statistics: {0}")]
    QueryStatistics(StatsError),
    /// Features of another dimension.
    #[error(
        "{what} has dimension {found}, the index expects {expected}; use the feature network that the index was made with"
    )]
    WrongDimension {
        /// What was given.
        what: &'static str,
        /// Its dimension.
        found: usize,
        /// The dimension of the index.
        expected: usize,
    },
    /// A number that is NaN or infinite.
    #[error("{what} has the value {value} at index {index}; expected finite numbers")]
    NonFinite {
        /// What was given.
        what: &'static str,
        /// Where in it, row-major.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A name that cannot be kept.
    #[error(
        "{name:?} cannot name a model: it must have 1 to {limit} bytes and no control characters"
    )]
    InvalidName {
        /// The name.
        name: String,
        /// The longest name in bytes.
        limit: usize,
    },
    /// Two models of one name.
    #[error("the index already has a model {name:?}; remove it first or choose another name")]
    DuplicateModel {
        /// The name.
        name: String,
    },
    /// A model that is not there.
    #[error("the index of {count} models has none of the name {name:?}")]
    UnknownModel {
        /// The name.
        name: String,
        /// How many models there are.
        count: usize,
    },
    /// A number beyond what the precision of the index holds.
    #[error(
        "model {model:?}: the number {value} does not fit into the precision of the index; store it in f32, scale the features or use a larger ridge"
    )]
    DoesNotFit {
        /// The model.
        model: String,
        /// The number.
        value: f32,
    },
    /// Monte Carlo without samples.
    #[error(
        "model {model:?} was added without samples, which the Monte Carlo score needs; add it with samples or use another method"
    )]
    NoSamples {
        /// The model.
        model: String,
    },
    /// A query of nothing.
    #[error("the query has no parts; give at least one image, text or model")]
    EmptyQuery,
    /// Rankings and truth that cannot be compared.
    #[error("query {query}: {reason}")]
    Evaluation {
        /// Which query, counted from 0.
        query: usize,
        /// What was found and what was expected.
        reason: String,
    },
}
