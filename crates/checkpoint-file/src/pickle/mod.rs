//! Python's pickle format, read without running anything from it.

mod constructor;
mod heap;
mod json;
mod machine;
mod numpy;
mod opcode;
mod text_argument;

pub(crate) use heap::{
    Content, Foreign, Heap, MODULE_PARTS, Object, ObjectId, Storage, Unknown, Value, View,
};
pub(crate) use json::JsonWriter;
pub(crate) use machine::{NamedStorages, run, run_with_storages};
pub(crate) use numpy::dense_strides;
