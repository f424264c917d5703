use std::path::PathBuf;

use feature_stats::StatsError;

/// Why directions could not be found, an edit not applied, or a path not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GanspaceError {
    /// The statistics that directions come from.
    #[error(transparent)]
    Stats(#[from] StatsError),
    /// The file system refused.
    #[error("{path}: {source}; check that the file exists and can be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file that holds no named edits.
    #[error("{name}: not a file of named edits: {reason}")]
    MalformedEdits {
        /// The file.
        name: String,
        /// What was found and what was expected.
        reason: String,
    },
    /// A named edit that cannot be written down or used.
    #[error("the edit {name:?} {reason}")]
    InvalidEdit {
        /// Its name.
        name: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A name that the file does not have.
    #[error("no edit is called {found:?}; known: {known}")]
    UnknownEdit {
        /// The name that was asked for.
        found: String,
        /// The names that there are.
        known: String,
    },
    /// An edit of another model.
    #[error(
        "the edit {edit:?} was made for the model {expected:?}, found {found:?}; components of different models have nothing in common, so use \
         that model or find the edit's counterpart in this one"
    )]
    WrongModel {
        /// The edit's name.
        edit: String,
        /// The model that is to be edited.
        found: String,
        /// The model that the edit belongs to.
        expected: String,
    },
    /// Directions that are not those that an edit was made with.
    #[error(
        "the edit {edit:?} was made with a component {component} of standard deviation {expected}, found {found}; the model's weights have \
         changed, or the directions were computed from other samples"
    )]
    DifferentBasis {
        /// The edit's name.
        edit: String,
        /// The component.
        component: usize,
        /// The component's standard deviation in these directions.
        found: f64,
        /// The one that the edit was saved with.
        expected: f64,
    },
    /// A component that was not computed.
    #[error("component {found} was asked for; {available} were computed, numbered from 0")]
    UnknownComponent {
        /// What was asked for.
        found: usize,
        /// How many there are.
        available: usize,
    },
    /// No components, or more than dimensions.
    #[error("{found} components were asked for, expected 1 to {dimension}")]
    InvalidComponentCount {
        /// What was asked for.
        found: usize,
        /// The dimension of what they are components of.
        dimension: usize,
    },
    /// Text that names no layers.
    #[error(
        "{found:?} is no range of layers; write the first and the last, both included and counted from 0, as 4-7, one layer as 4, or all"
    )]
    InvalidLayers {
        /// The text.
        found: String,
    },
    /// Layers that the latents do not have.
    #[error("layers {found} were asked for; these latents have layers 0 to {last}")]
    MissingLayers {
        /// The range.
        found: String,
        /// The last layer that there is.
        last: usize,
    },
    /// Arrays whose sizes do not belong together.
    #[error(
        "{what} has {found} {unit}, expected {expected}; use what was made with the same model and samples"
    )]
    WrongSize {
        /// What was given.
        what: &'static str,
        /// What is counted: dimensions, rows, ...
        unit: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Too few of something to compute with.
    #[error("{found} {what} were given, expected at least {required}")]
    TooFew {
        /// What was given.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are needed.
        required: usize,
    },
    /// A number that is NaN or infinite, or negative where that has no meaning.
    #[error("{what} has the value {value} at position {position}, expected {expected}")]
    InvalidNumber {
        /// What was given.
        what: &'static str,
        /// The number.
        value: f64,
        /// Its position, in row-major order.
        position: usize,
        /// What is allowed.
        expected: &'static str,
    },
    /// Values without a spread, of which nothing can be a standard deviation.
    #[error("{what} are all equal to {value}; expected values that differ between samples")]
    NoSpread {
        /// What was given.
        what: &'static str,
        /// The value of all.
        value: f64,
    },
    /// A component that the latents do not move.
    #[error(
        "component {component} of the activations does not depend on the latents; compute fewer components, or take a later block"
    )]
    NoDirection {
        /// The component.
        component: usize,
    },
    /// The singular value decomposition did not end.
    #[error(
        "the singular value decomposition of {rows} x {columns} numbers did not converge; they may span too many orders of magnitude"
    )]
    NoConvergence {
        /// Rows of the matrix.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
}
