//! Python's pickle format, read without running anything from it.

mod constructor;
mod heap;
mod json;
mod machine;
mod numpy;
mod opcode;

pub(crate) use heap::{Content, Heap, Object, ObjectId, Value, View};
pub(crate) use json::JsonWriter;
pub(crate) use machine::{NamedStorages, run, run_with_storages};
