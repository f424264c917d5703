//! Arrays, scalars and element types as numpy pickles them.

use super::constructor::integers;
use super::heap::{ByteString, Content, Heap, NumpyDType, Object, Storage, Value, View};
use crate::StoredDType;

/// The type called `f4`, `<i8` and so on; `None` where the name is no text.
pub(super) fn dtype(heap: &Heap<'_>, name: Value) -> Option<NumpyDType> {
    let (Value::Object(id), text) = (name, heap.text(name)?) else {
        return None;
    };
    let known = StoredDType::from_numpy_code(text);
    Some(NumpyDType {
        name: id,
        dtype: known.map(|(dtype, _)| dtype),
        big_endian: known.is_some_and(|(_, big_endian)| big_endian),
    })
}

fn dtype_of(heap: &Heap<'_>, value: Value) -> Option<NumpyDType> {
    match heap.get(value)? {
        Object::NumpyDType(dtype) => Some(*dtype),
        _ => None,
    }
}

/// A numpy scalar as a plain number, or None for a type that is not read; `None` when the arguments do not fit.
pub(super) fn scalar(
    heap: &mut Heap<'_>,
    file: &[u8],
    dtype: Value,
    bytes: Value,
) -> Option<Value> {
    let NumpyDType {
        dtype, big_endian, ..
    } = dtype_of(heap, dtype)?;
    let Some(dtype) = dtype else {
        return Some(Value::None);
    };
    let bytes = heap.bytes(file, bytes)?;
    if bytes.len() != dtype.size() {
        return None;
    }
    let mut little = [0u8; 8];
    little[..bytes.len()].copy_from_slice(bytes);
    if big_endian {
        little[..bytes.len()].reverse();
    }
    let [b0, b1, b2, b3, ..] = little;
    Some(match dtype {
        StoredDType::F64 => Value::Float(f64::from_le_bytes(little)),
        StoredDType::F32 => Value::Float(f64::from(f32::from_le_bytes([b0, b1, b2, b3]))),
        StoredDType::F16 => Value::Float(half::f16::from_le_bytes([b0, b1]).to_f64()),
        StoredDType::BF16 => Value::Float(half::bf16::from_le_bytes([b0, b1]).to_f64()),
        StoredDType::I64 => Value::Int(i64::from_le_bytes(little)),
        StoredDType::I32 => Value::Int(i64::from(i32::from_le_bytes([b0, b1, b2, b3]))),
        StoredDType::I16 => Value::Int(i64::from(i16::from_le_bytes([b0, b1]))),
        StoredDType::I8 => Value::Int(i64::from(i8::from_le_bytes([b0]))),
        StoredDType::U64 => {
            let number = u64::from_le_bytes(little);
            match i64::try_from(number) {
                Ok(small) => Value::Int(small),
                Err(_) => heap.add(Object::BigInt(i128::from(number))),
            }
        }
        StoredDType::U32 => Value::Int(i64::from(u32::from_le_bytes([b0, b1, b2, b3]))),
        StoredDType::U16 => Value::Int(i64::from(u16::from_le_bytes([b0, b1]))),
        StoredDType::U8 => Value::Int(i64::from(b0)),
        StoredDType::Bool => Value::Bool(b0 != 0),
    })
}

/// A numpy array as a view of a storage of its own, or opaque; `None` when the arguments do not fit.
pub(super) fn array<'a>(
    heap: &mut Heap<'a>,
    bytes: Value,
    dtype: Value,
    shape: Value,
    fortran: bool,
) -> Option<Object<'a>> {
    let NumpyDType {
        name,
        dtype,
        big_endian,
    } = dtype_of(heap, dtype)?;
    let Some(dtype) = dtype else {
        return Some(Object::Opaque(name));
    };
    let shape = integers(heap, shape)?;
    let (content, length) = match heap.get(bytes)? {
        Object::Bytes(ByteString::InFile(range)) => (Content::InFile(range.clone()), range.len()),
        Object::Bytes(ByteString::Decoded(bytes)) => {
            (Content::Decoded(bytes.clone(), 0..bytes.len()), bytes.len())
        }
        _ => return None,
    };
    if length % dtype.size() != 0 {
        return None;
    }
    let strides = dense_strides(&shape, fortran);
    let storage = heap.add_storage(Storage {
        dtype,
        elements: (length / dtype.size()) as u64,
        big_endian,
        content,
    });
    Some(Object::Tensor(Box::new(View {
        storage,
        offset: 0,
        shape,
        strides,
    })))
}

/// Strides, in elements, of an array whose elements follow one another: in the order of the last axis, or with
/// `fortran` of the first.
pub(crate) fn dense_strides(shape: &[i64], fortran: bool) -> Vec<i64> {
    let mut strides = vec![1i64; shape.len()];
    let mut step = 1i64;
    let mut set = |axis: usize| {
        strides[axis] = step;
        step = step.saturating_mul(shape[axis].max(1));
    };
    if fortran {
        (0..shape.len()).for_each(&mut set);
    } else {
        (0..shape.len()).rev().for_each(&mut set);
    }
    strides
}
