//! The two file formats of `torch.save`.

pub(crate) mod archive;
pub(crate) mod stream;
