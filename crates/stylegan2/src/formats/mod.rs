//! Networks as other code names and configures them, turned into official names and official constructor arguments.

pub(crate) mod official;
pub(crate) mod rosinality;
