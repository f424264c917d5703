//! Networks as other code names and configures them, turned into official names and official constructor arguments.

use std::collections::BTreeMap;

use checkpoint_file::StoredTensor;

pub(crate) mod official;
pub(crate) mod other_kind;
pub(crate) mod place;
pub(crate) mod rosinality;

/// A network of other code under official names.
#[derive(Debug)]
pub(crate) struct OtherNames {
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
    /// What the file calls every tensor that such a network may have, by its official name.
    pub(crate) sources: BTreeMap<String, String>,
}
