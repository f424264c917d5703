use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::constructor::Constructor;
use crate::StoredDType;
use crate::fault::Fault;
use crate::limits;

/// A Python value: small ones inline, the rest as an index into the [`Heap`].
///
/// Indices instead of owned or counted references make cycles harmless and dropping flat, whatever the nesting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Object(ObjectId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId(u32);

/// The attributes in which every PyTorch module keeps what its `state_dict` lists, in that order.
pub(crate) const MODULE_PARTS: [&str; 3] = ["_parameters", "_buffers", "_modules"];

/// The package of all classes that lie in a TorchScript archive.
const SCRIPT: &str = "__torch__";
const SCRIPT_PREFIX: &str = "__torch__.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StorageId(u32);

/// A byte string, in the file where it can be.
#[derive(Clone, Debug)]
pub(crate) enum ByteString {
    /// Absolute range of the file.
    InFile(Range<usize>),
    /// Decoded from text, as protocols 0 to 2 write byte strings.
    Decoded(Arc<Vec<u8>>),
}

/// A class or function outside the closed list. It is known by its name, and that is all that is ever done with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unknown {
    pub(crate) module: ObjectId,
    pub(crate) name: ObjectId,
    /// Where the file names it.
    pub(crate) position: usize,
}

/// What stands where the file instantiates an unknown class or calls an unknown function. Nothing was run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign {
    /// The [`Unknown`].
    pub(crate) class: ObjectId,
    /// Its attributes; None where the file gives it none.
    pub(crate) state: Value,
    /// The dict of what the file sets in it, as in a dict of a class of its own.
    pub(crate) items: Option<ObjectId>,
}

/// Element type and byte order of a numpy array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumpyDType {
    /// The text by which numpy calls it.
    pub(crate) name: ObjectId,
    /// `None` for types that are not read, such as texts.
    pub(crate) dtype: Option<StoredDType>,
    pub(crate) big_endian: bool,
}

/// A strided view of a storage; offset and strides count elements. Not yet known to lie inside.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) storage: StorageId,
    pub(crate) offset: i64,
    pub(crate) shape: Vec<i64>,
    pub(crate) strides: Vec<i64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Object<'a> {
    Text(Cow<'a, str>),
    Bytes(ByteString),
    BigInt(i128),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Constructor(Constructor),
    Unknown(Unknown),
    Foreign(Foreign),
    Storage(StorageId),
    /// Boxed, because it is by far the largest and pickles are made of small objects.
    Tensor(Box<View>),
    /// An array of elements that are not read; a text or an [`Unknown`] names their type.
    Opaque(ObjectId),
    NumpyDType(NumpyDType),
    /// What numpy's `_reconstruct` makes: an array whose content comes with the next BUILD.
    UnfilledArray,
    /// A module of the official networks: the dictionary with `class_name` and `state`.
    Persistent(ObjectId),
}

/// The elements that tensors are views of.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) dtype: StoredDType,
    pub(crate) elements: u64,
    pub(crate) big_endian: bool,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Not found yet or not at all, and why.
    Unavailable(String),
    InFile(Range<usize>),
    /// A part of a byte string that the file holds as text.
    Decoded(Arc<Vec<u8>>, Range<usize>),
}

/// Where a nested stream lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StreamPlace {
    /// It starts at a byte of the file.
    InFile(usize),
    /// It is a decoded byte string.
    Decoded(ObjectId),
}

/// All objects that one file makes.
#[derive(Debug)]
pub(crate) struct Heap<'a> {
    objects: Vec<Object<'a>>,
    storages: Vec<Storage>,
    /// What the nested streams hold.
    streams: HashMap<StreamPlace, Value>,
    instructions: usize,
    decoded_left: usize,
}

impl<'a> Heap<'a> {
    /// An empty heap for a file of `file` bytes.
    pub(crate) fn new(file: usize) -> Self {
        Self {
            objects: Vec::new(),
            storages: Vec::new(),
            streams: HashMap::new(),
            instructions: 0,
            decoded_left: limits::decoded_bytes(file),
        }
    }

    /// Pays for `bytes` that are decoded from text.
    pub(crate) fn spend_decoded(&mut self, bytes: usize) -> Result<(), Fault> {
        self.decoded_left = self.decoded_left.checked_sub(bytes).ok_or(Fault::Limit {
            what: "bytes as text (more than are left of what a file of this size should hold)",
            found: bytes as u64,
            limit: self.decoded_left as u64,
        })?;
        Ok(())
    }

    /// Counts instructions, and the items that one of them copies as instructions of their own.
    pub(crate) fn spend(&mut self, instructions: usize) -> Result<(), Fault> {
        self.instructions += instructions;
        if self.instructions > limits::INSTRUCTIONS {
            return Err(Fault::Limit {
                what: "pickle instructions",
                found: self.instructions as u64,
                limit: limits::INSTRUCTIONS as u64,
            });
        }
        Ok(())
    }

    /// Every object is made by an instruction, so that their number fits an index.
    pub(crate) fn add(&mut self, object: Object<'a>) -> Value {
        let id = ObjectId(self.objects.len() as u32);
        self.objects.push(object);
        Value::Object(id)
    }

    pub(crate) fn add_storage(&mut self, storage: Storage) -> StorageId {
        let id = StorageId(self.storages.len() as u32);
        self.storages.push(storage);
        id
    }

    /// The object of the nested stream at a place, where that was read before.
    pub(crate) fn stream(&self, place: StreamPlace) -> Option<Value> {
        self.streams.get(&place).copied()
    }

    pub(crate) fn remember_stream(&mut self, place: StreamPlace, root: Value) {
        self.streams.insert(place, root);
    }

    pub(crate) fn instructions(&self) -> usize {
        self.instructions
    }

    pub(crate) fn object(&self, id: ObjectId) -> &Object<'a> {
        &self.objects[id.0 as usize]
    }

    pub(crate) fn object_mut(&mut self, id: ObjectId) -> &mut Object<'a> {
        &mut self.objects[id.0 as usize]
    }

    pub(crate) fn storage(&self, id: StorageId) -> &Storage {
        &self.storages[id.0 as usize]
    }

    pub(crate) fn storage_mut(&mut self, id: StorageId) -> &mut Storage {
        &mut self.storages[id.0 as usize]
    }

    /// The object behind a value, `None` for inline values.
    pub(crate) fn get(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::Object(id) => Some(self.object(id)),
            _ => None,
        }
    }

    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        match self.get(value)? {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn tuple(&self, value: Value) -> Option<&[Value]> {
        match self.get(value)? {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn dict(&self, value: Value) -> Option<&[(Value, Value)]> {
        match self.get(value)? {
            Object::Dict(items) => Some(items),
            _ => None,
        }
    }

    /// The module and name of a class or function that is not known, each cut to [`limits::CLASS_BYTES`].
    pub(crate) fn full_name(&self, unknown: Unknown) -> String {
        let part = |id: ObjectId| match self.object(id) {
            Object::Text(text) => {
                let end = text.floor_char_boundary(limits::CLASS_BYTES);
                text[..end].to_owned()
            }
            _ => String::new(),
        };
        format!("{}.{}", part(unknown.module), part(unknown.name))
    }

    /// The unknown class or function of this object.
    pub(crate) fn unknown(&self, id: ObjectId) -> Option<Unknown> {
        match self.object(id) {
            Object::Unknown(unknown) => Some(*unknown),
            _ => None,
        }
    }

    /// Whether an object is one of TorchScript: its class is code in the same archive.
    pub(crate) fn is_script(&self, foreign: Foreign) -> bool {
        let module = self.unknown(foreign.class).map(|class| class.module);
        let module = module.and_then(|module| self.text(Value::Object(module)));
        module.is_some_and(|module| module == SCRIPT || module.starts_with(SCRIPT_PREFIX))
    }

    /// The attributes of an unknown class that make it a PyTorch module; `None` for other objects.
    pub(crate) fn module_state(&self, foreign: Foreign) -> Option<&[(Value, Value)]> {
        let attributes = self
            .dict(foreign.state)
            .filter(|attributes| attributes.len() <= limits::ATTRIBUTES)?;
        let has = |key: &str| {
            let part = self.lookup(attributes, key);
            part.is_some_and(|part| self.dict(part).is_some())
        };
        MODULE_PARTS
            .iter()
            .all(|part| has(part))
            .then_some(attributes)
    }

    /// The value of a text key; the last one counts, as in Python.
    pub(crate) fn lookup(&self, items: &[(Value, Value)], key: &str) -> Option<Value> {
        items
            .iter()
            .rev()
            .find(|(k, _)| self.text(*k) == Some(key))
            .map(|(_, value)| *value)
    }

    /// The bytes of a byte string.
    pub(crate) fn bytes<'s>(&'s self, file: &'s [u8], value: Value) -> Option<&'s [u8]> {
        match self.get(value)? {
            Object::Bytes(ByteString::InFile(range)) => Some(&file[range.clone()]),
            Object::Bytes(ByteString::Decoded(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// What a value is, for messages.
    pub(crate) fn describe(&self, value: Value) -> String {
        match value {
            Value::None => "None".to_owned(),
            Value::Bool(_) => "a bool".to_owned(),
            Value::Int(n) => format!("the integer {n}"),
            Value::Float(x) => format!("the number {x}"),
            Value::Object(id) => match self.object(id) {
                Object::Text(_) => "a text".to_owned(),
                Object::Bytes(_) => "a byte string".to_owned(),
                Object::BigInt(n) => format!("the integer {n}"),
                Object::Tuple(items) => format!("a tuple of {}", items.len()),
                Object::List(items) => format!("a list of {}", items.len()),
                Object::Set(items) => format!("a set of {}", items.len()),
                Object::Dict(items) => format!("a dict of {}", items.len()),
                Object::Constructor(constructor) => format!("the constructor {constructor}"),
                Object::Unknown(unknown) => format!("the class {}", self.full_name(*unknown)),
                Object::Foreign(foreign) => match self.unknown(foreign.class) {
                    Some(unknown) => format!("an object of {}", self.full_name(unknown)),
                    None => "an object of an unknown class".to_owned(),
                },
                Object::Storage(_) => "a storage".to_owned(),
                Object::Tensor(_) => "a tensor".to_owned(),
                Object::Opaque(_) => "an array of another type".to_owned(),
                Object::NumpyDType(_) => "a numpy dtype".to_owned(),
                Object::UnfilledArray => "an empty numpy array".to_owned(),
                Object::Persistent(_) => "a network".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_small() {
        // One byte of a file can make an object, so this is the larger part of what a byte can take.
        assert!(size_of::<Object<'_>>() <= 32);
        assert!(size_of::<Value>() <= 16);
    }
}
