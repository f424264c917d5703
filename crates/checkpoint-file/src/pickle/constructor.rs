use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::heap::{ByteString, Foreign, Heap, Object, ObjectId, StreamPlace, Value, View};
use super::machine::Machine;
use crate::StoredDType;
use crate::fault::{Fault, malformed};
use crate::limits;
use crate::torch::stream;

/// Everything that a pickle may name. Nothing else is looked up, imported or called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constructor {
    /// `collections.OrderedDict`, `dnnlib.util.EasyDict`, `argparse.Namespace` and their like: dicts to us.
    Dict(&'static str),
    /// `collections.defaultdict`, whose argument makes what it does not have.
    DefaultDict,
    /// `copyreg._reconstructor`: an object as protocols 0 and 1 write it.
    Reconstructor,
    /// `builtins.object`, only as an argument of `Reconstructor`.
    PlainObject,
    /// `set` and `frozenset` of any age of Python.
    Set,
    /// `_codecs.encode`: a byte string as protocol 2 writes it.
    EncodeText,
    /// `torch.Size`: a tuple.
    Size,
    /// `torch.device`: kept as its text.
    Device,
    /// `torch.float32` and its like as values: kept as their names.
    ElementType(&'static str),
    /// `torch.FloatStorage` and its like, inside persistent ids.
    StorageType(StoredDType),
    /// `torch.storage._load_from_bytes`: a `torch.save` stream in a byte string.
    LoadFromBytes,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes of Python.
    RebuildFromType,
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`.
    RebuildParameter,
    /// `torch_utils.persistence._reconstruct_persistent_obj` of the official networks.
    PersistentObject,
    /// `numpy.dtype`.
    NumpyDType,
    /// `numpy.ndarray`, only as an argument of `NumpyReconstruct`.
    NumpyArrayType,
    /// `numpy.core.multiarray._reconstruct`.
    NumpyReconstruct,
    /// `numpy.core.multiarray.scalar`.
    NumpyScalar,
    /// `numpy.core.numeric._frombuffer`, what protocol 5 writes.
    NumpyFromBuffer,
}

/// The values of `torch.dtype`, all plain names.
const ELEMENT_TYPES: [&str; 23] = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "complex128",
    "complex64",
    "complex32",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
    "qint32",
    "qint8",
    "quint8",
];

impl fmt::Display for Constructor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dict(name) => f.write_str(name),
            Self::ElementType(name) => write!(f, "torch.{name}"),
            Self::DefaultDict => f.write_str("collections.defaultdict"),
            Self::Reconstructor => f.write_str("copyreg._reconstructor"),
            Self::PlainObject => f.write_str("builtins.object"),
            Self::Set => f.write_str("set"),
            Self::EncodeText => f.write_str("_codecs.encode"),
            Self::Size => f.write_str("torch.Size"),
            Self::Device => f.write_str("torch.device"),
            Self::StorageType(dtype) => write!(f, "the storage type of {dtype:?}"),
            Self::LoadFromBytes => f.write_str("torch.storage._load_from_bytes"),
            Self::RebuildTensor => f.write_str("torch._utils._rebuild_tensor_v2"),
            Self::RebuildFromType => f.write_str("torch._tensor._rebuild_from_type_v2"),
            Self::RebuildParameter => f.write_str("torch._utils._rebuild_parameter"),
            Self::PersistentObject => {
                f.write_str("torch_utils.persistence._reconstruct_persistent_obj")
            }
            Self::NumpyDType => f.write_str("numpy.dtype"),
            Self::NumpyArrayType => f.write_str("numpy.ndarray"),
            Self::NumpyReconstruct => f.write_str("numpy.core.multiarray._reconstruct"),
            Self::NumpyScalar => f.write_str("numpy.core.multiarray.scalar"),
            Self::NumpyFromBuffer => f.write_str("numpy.core.numeric._frombuffer"),
        }
    }
}

impl Constructor {
    /// The constructor of this name; `None` for what is not in the closed list.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        if module == "torch"
            && let Some(known) = ELEMENT_TYPES.iter().find(|known| **known == name)
        {
            return Some(Self::ElementType(known));
        }
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::Dict("collections.OrderedDict"),
            ("dnnlib.util" | "dnnlib", "EasyDict") => Self::Dict("dnnlib.util.EasyDict"),
            ("easydict", "EasyDict") => Self::Dict("easydict.EasyDict"),
            ("argparse", "Namespace") => Self::Dict("argparse.Namespace"),
            ("types", "SimpleNamespace") => Self::Dict("types.SimpleNamespace"),
            ("builtins" | "__builtin__", "dict") => Self::Dict("builtins.dict"),
            ("collections", "defaultdict") => Self::DefaultDict,
            ("copyreg" | "copy_reg", "_reconstructor") => Self::Reconstructor,
            ("builtins" | "__builtin__", "object") => Self::PlainObject,
            ("builtins" | "__builtin__", "set" | "frozenset") => Self::Set,
            ("_codecs", "encode") => Self::EncodeText,
            ("torch", "Size") => Self::Size,
            ("torch", "device") => Self::Device,
            // Files of before PyTorch 1.6 keep what lay on a graphics processor as such.
            ("torch" | "torch.cuda", "DoubleStorage") => Self::StorageType(StoredDType::F64),
            ("torch" | "torch.cuda", "FloatStorage") => Self::StorageType(StoredDType::F32),
            ("torch" | "torch.cuda", "HalfStorage") => Self::StorageType(StoredDType::F16),
            ("torch" | "torch.cuda", "BFloat16Storage") => Self::StorageType(StoredDType::BF16),
            ("torch" | "torch.cuda", "LongStorage") => Self::StorageType(StoredDType::I64),
            ("torch" | "torch.cuda", "IntStorage") => Self::StorageType(StoredDType::I32),
            ("torch" | "torch.cuda", "ShortStorage") => Self::StorageType(StoredDType::I16),
            ("torch" | "torch.cuda", "CharStorage") => Self::StorageType(StoredDType::I8),
            ("torch" | "torch.cuda", "ByteStorage") => Self::StorageType(StoredDType::U8),
            ("torch" | "torch.cuda", "BoolStorage") => Self::StorageType(StoredDType::Bool),
            ("torch.storage", "_load_from_bytes") => Self::LoadFromBytes,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => {
                Self::RebuildFromType
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::RebuildParameter
            }
            ("torch_utils.persistence", "_reconstruct_persistent_obj") => Self::PersistentObject,
            ("numpy", "dtype") => Self::NumpyDType,
            ("numpy", "ndarray") => Self::NumpyArrayType,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Self::NumpyReconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::NumpyScalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::NumpyFromBuffer,
            _ => return None,
        })
    }
}

/// Items of a tuple or list of integers, such as a shape.
pub(super) fn integers(heap: &Heap<'_>, value: Value) -> Option<Vec<i64>> {
    let items = match heap.get(value)? {
        Object::Tuple(items) | Object::List(items) => items,
        _ => return None,
    };
    if items.len() > limits::DIMENSIONS {
        return None;
    }
    items
        .iter()
        .map(|item| match item {
            Value::Int(n) => Some(*n),
            _ => None,
        })
        .collect()
}

impl<'a> Machine<'a, '_> {
    /// What REDUCE and NEWOBJ make of a constructor and its arguments.
    pub(super) fn construct(
        &mut self,
        callee: Value,
        arguments: Value,
        position: usize,
    ) -> Result<Value, Fault> {
        let constructor = match (callee, self.heap.get(callee)) {
            (_, Some(Object::Constructor(constructor))) => *constructor,
            (Value::Object(id), Some(Object::Unknown(_))) => {
                return Ok(self.stand_in(id, arguments));
            }
            // A method of one, or what a function gave.
            (_, Some(Object::Foreign(Foreign { class, .. }))) => {
                return Ok(self.stand_in(*class, arguments));
            }
            _ => {
                return Err(malformed!(
                    "byte {position} calls {}, expected a known constructor",
                    self.heap.describe(callee)
                ));
            }
        };
        let wrong = |heap: &Heap<'_>| {
            let found: Vec<String> = heap
                .tuple(arguments)
                .unwrap_or(&[arguments])
                .iter()
                .take(limits::DIMENSIONS)
                .map(|value| heap.describe(*value))
                .collect();
            malformed!(
                "byte {position} calls {constructor} with unexpected arguments: {}",
                found.join(", ")
            )
        };
        let Some(arguments) = self.heap.tuple(arguments) else {
            return Err(wrong(self.heap));
        };
        let object = match (constructor, arguments) {
            (Constructor::Dict(_), []) => Object::Dict(Vec::new()),
            (Constructor::Dict(_), &[pairs]) => {
                let pairs = self.pairs(pairs).ok_or_else(|| wrong(self.heap))?;
                self.heap.spend(pairs.len())?;
                Object::Dict(pairs)
            }
            (Constructor::DefaultDict, [] | [_]) => Object::Dict(Vec::new()),
            (Constructor::DefaultDict, &[_, pairs]) => {
                let pairs = self.pairs(pairs).ok_or_else(|| wrong(self.heap))?;
                self.heap.spend(pairs.len())?;
                Object::Dict(pairs)
            }
            // (class, base, what the base is made of)
            (Constructor::Reconstructor, &[class, base, state]) => {
                let made = match (self.heap.get(class), self.heap.get(base)) {
                    (Some(Object::Constructor(Constructor::Dict(_))), _) => self.pairs(state),
                    (Some(Object::Unknown(_)), _) => return self.construct(class, state, position),
                    _ => None,
                };
                let pairs = match (made, state) {
                    (Some(pairs), _) => pairs,
                    (None, Value::None) => Vec::new(),
                    _ => return Err(wrong(self.heap)),
                };
                self.heap.spend(pairs.len())?;
                Object::Dict(pairs)
            }
            (Constructor::Set, []) => Object::Set(Vec::new()),
            (Constructor::Set, &[items]) => match self.heap.get(items) {
                Some(Object::List(items) | Object::Tuple(items)) => {
                    let items = items.clone();
                    self.heap.spend(items.len())?;
                    Object::Set(items)
                }
                _ => return Err(wrong(self.heap)),
            },
            (Constructor::EncodeText, &[text, _encoding]) => {
                let length = self.heap.text(text).map_or(0, str::len);
                self.heap.spend_decoded(length)?;
                let decoded = self.latin1(text).ok_or_else(|| wrong(self.heap))?;
                Object::Bytes(ByteString::Decoded(Arc::new(decoded)))
            }
            (Constructor::Size, &[items]) if self.heap.tuple(items).is_some() => return Ok(items),
            (Constructor::Device, &[name] | &[name, _]) if self.heap.text(name).is_some() => {
                return Ok(name);
            }
            (Constructor::LoadFromBytes, &[bytes]) => {
                return self
                    .nested_stream(bytes, position)?
                    .ok_or_else(|| wrong(self.heap));
            }
            // A storage of a type that is not read.
            (Constructor::RebuildTensor, &[storage, ..])
                if matches!(self.heap.get(storage), Some(Object::Opaque(_))) =>
            {
                return Ok(storage);
            }
            (Constructor::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let (Some(Object::Storage(storage)), Value::Int(offset)) =
                    (self.heap.get(storage), offset)
                else {
                    return Err(wrong(self.heap));
                };
                let (Some(shape), Some(strides)) =
                    (integers(self.heap, shape), integers(self.heap, strides))
                else {
                    return Err(wrong(self.heap));
                };
                Object::Tensor(Box::new(View {
                    storage: *storage,
                    offset,
                    shape,
                    strides,
                }))
            }
            // (function, type, arguments, attributes): the type adds nothing to the numbers.
            (Constructor::RebuildFromType, &[function, _, inner, _]) => {
                return match self.heap.get(function) {
                    Some(
                        Object::Unknown(_)
                        | Object::Constructor(
                            Constructor::RebuildTensor | Constructor::RebuildParameter,
                        ),
                    ) => self.construct(function, inner, position),
                    _ => Err(wrong(self.heap)),
                };
            }
            (Constructor::RebuildParameter, &[tensor, ..]) => match self.heap.get(tensor) {
                Some(Object::Tensor(_) | Object::Opaque(_)) => return Ok(tensor),
                _ => return Err(wrong(self.heap)),
            },
            (Constructor::PersistentObject, &[description]) => match self.dict_items(description) {
                Some((id, _)) => Object::Persistent(id),
                None => return Err(wrong(self.heap)),
            },
            (Constructor::NumpyDType, &[name, ..]) => {
                let dtype = super::numpy::dtype(self.heap, name);
                Object::NumpyDType(dtype.ok_or_else(|| wrong(self.heap))?)
            }
            (Constructor::NumpyReconstruct, &[class, ..]) => match (class, self.heap.get(class)) {
                (_, Some(Object::Constructor(Constructor::NumpyArrayType))) => {
                    Object::UnfilledArray
                }
                (Value::Object(id), Some(Object::Unknown(_))) => {
                    return Ok(self.stand_in(id, Value::None));
                }
                _ => return Err(wrong(self.heap)),
            },
            (Constructor::NumpyScalar, &[dtype, bytes]) => {
                return super::numpy::scalar(self.heap, self.cursor.file(), dtype, bytes)
                    .ok_or_else(|| wrong(self.heap));
            }
            (Constructor::NumpyFromBuffer, &[buffer, dtype, shape, order]) => {
                let fortran = match self.heap.text(order) {
                    Some("C") => false,
                    Some("F") => true,
                    _ => return Err(wrong(self.heap)),
                };
                let made = super::numpy::array(self.heap, buffer, dtype, shape, fortran);
                made.ok_or_else(|| wrong(self.heap))?
            }
            _ => return Err(wrong(self.heap)),
        };
        Ok(self.heap.add(object))
    }

    /// What stands for an object of an unknown class or the result of an unknown function: where it is made of a tensor
    /// or of its elements, a tensor of a type that is not read.
    fn stand_in(&mut self, class: ObjectId, arguments: Value) -> Value {
        let made_of = self.heap.tuple(arguments).unwrap_or_default();
        let is_tensor = made_of.iter().take(limits::DIMENSIONS).any(|argument| {
            matches!(
                self.heap.get(*argument),
                Some(Object::Tensor(_) | Object::Storage(_) | Object::Opaque(_))
            )
        });
        self.heap.add(if is_tensor {
            Object::Opaque(class)
        } else {
            Object::Foreign(Foreign {
                class,
                state: Value::None,
                items: None,
            })
        })
    }

    /// The storage in a `torch.save` stream that is a byte string of this one; `None` where it is no byte string.
    fn nested_stream(&mut self, bytes: Value, position: usize) -> Result<Option<Value>, Fault> {
        let (Value::Object(id), Some(Object::Bytes(bytes))) = (bytes, self.heap.get(bytes)) else {
            return Ok(None);
        };
        let bytes = bytes.clone();
        let place = match &bytes {
            ByteString::InFile(range) => StreamPlace::InFile(range.start),
            ByteString::Decoded(_) => StreamPlace::Decoded(id),
        };
        // Read once, so that a short pickle cannot have a long stream read again and again.
        if let Some(known) = self.heap.stream(place) {
            return Ok(Some(known));
        }
        let nesting = self.nesting + 1;
        let root = match bytes {
            ByteString::InFile(range) => {
                stream::read_nested(self.cursor.file(), range, self.heap, nesting)?
            }
            ByteString::Decoded(bytes) => {
                let storage = stream::read_decoded(&bytes, self.heap, nesting)
                    .map_err(|fault| fault.within(position))?;
                let storage = self.heap.add_storage(storage);
                self.heap.add(Object::Storage(storage))
            }
        };
        self.heap.remember_stream(place, root);
        Ok(Some(root))
    }

    /// What BUILD does: hands an object its state.
    pub(super) fn fill(
        &mut self,
        target: Value,
        state: Value,
        position: usize,
    ) -> Result<(), Fault> {
        let wrong = |heap: &Heap<'_>| {
            malformed!(
                "byte {position} hands {} to {}, which is not understood",
                heap.describe(state),
                heap.describe(target)
            )
        };
        let Value::Object(id) = target else {
            return Err(wrong(self.heap));
        };
        match self.heap.object(id) {
            // Attributes of Python beside a tensor's elements.
            Object::Tensor(_) | Object::Opaque(_) => Ok(()),
            Object::Foreign(_) => {
                if let Object::Foreign(foreign) = self.heap.object_mut(id) {
                    foreign.state = state;
                }
                Ok(())
            }
            // A Namespace keeps its values in its attributes. A dict that has items keeps nothing but
            // `_metadata` there, and copying attributes to it again and again could make it grow without bound.
            Object::Dict(items) => {
                let is_empty = items.is_empty();
                let attributes = match (state, self.dict_items(state)) {
                    (Value::None, _) => return Ok(()),
                    (_, Some((_, attributes))) => attributes,
                    (_, None) => return Err(wrong(self.heap)),
                };
                if is_empty {
                    let looked_at = attributes.len();
                    let attributes: Vec<(Value, Value)> = attributes
                        .iter()
                        .filter(|(key, _)| self.heap.text(*key) != Some("_metadata"))
                        .copied()
                        .collect();
                    self.heap.spend(looked_at)?;
                    *self.heap.object_mut(id) = Object::Dict(attributes);
                }
                Ok(())
            }
            Object::NumpyDType(_) => {
                // (version, byte order, ...)
                let order = match self.heap.tuple(state) {
                    Some(&[_, order, ..]) => self.heap.text(order),
                    _ => None,
                };
                let big = match order {
                    Some("<" | "|" | "=") => false,
                    Some(">") => true,
                    _ => return Err(wrong(self.heap)),
                };
                if let Object::NumpyDType(dtype) = self.heap.object_mut(id) {
                    dtype.big_endian = big;
                }
                Ok(())
            }
            Object::UnfilledArray => {
                // (version, shape, dtype, is Fortran order, bytes)
                let array = match self.heap.tuple(state) {
                    Some(&[_, shape, dtype, Value::Bool(fortran), bytes]) => {
                        super::numpy::array(self.heap, bytes, dtype, shape, fortran)
                    }
                    _ => None,
                };
                *self.heap.object_mut(id) = array.ok_or_else(|| wrong(self.heap))?;
                Ok(())
            }
            _ => Err(wrong(self.heap)),
        }
    }

    /// A list of two-element lists or tuples, as Python 2 writes an OrderedDict; or another dict.
    fn pairs(&self, value: Value) -> Option<Vec<(Value, Value)>> {
        match self.heap.get(value)? {
            Object::Dict(items) => Some(items.clone()),
            Object::List(items) => items
                .iter()
                .map(|pair| match self.heap.get(*pair)? {
                    Object::List(pair) | Object::Tuple(pair) => match pair.as_slice() {
                        [key, value] => Some((*key, *value)),
                        _ => None,
                    },
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    fn latin1(&self, text: Value) -> Option<Vec<u8>> {
        let text: &Cow<'_, str> = match self.heap.get(text)? {
            Object::Text(text) => text,
            _ => return None,
        };
        text.chars()
            .map(|c| u8::try_from(u32::from(c)).ok())
            .collect()
    }
}
