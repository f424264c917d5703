//! Arrays, scalars and element types as numpy pickles them.

use super::constructor::integers;
use super::heap::{ByteString, Content, Heap, NumpyDType, Object, Storage, Value, View};
use crate::StoredDType;
use crate::fault::{Fault, malformed};

/// `f4`, `<i8` and so on.
pub(super) fn dtype(name: &str) -> Result<NumpyDType, Fault> {
    let (big_endian, code) = match name.strip_prefix('>') {
        Some(code) => (true, code),
        None => (false, name.trim_start_matches(['<', '|', '='])),
    };
    let dtype = match code {
        "f8" => StoredDType::F64,
        "f4" => StoredDType::F32,
        "f2" => StoredDType::F16,
        "i8" => StoredDType::I64,
        "i4" => StoredDType::I32,
        "i2" => StoredDType::I16,
        "i1" => StoredDType::I8,
        "u1" => StoredDType::U8,
        "b1" => StoredDType::Bool,
        _ => {
            return Err(malformed!(
                "a numpy array has elements of type {code:?}, expected f8, f4, f2, i8, i4, i2, i1, u1 or b1"
            ));
        }
    };
    Ok(NumpyDType { dtype, big_endian })
}

fn dtype_of(heap: &Heap<'_>, value: Value) -> Option<NumpyDType> {
    match heap.get(value)? {
        Object::NumpyDType(dtype) => Some(*dtype),
        _ => None,
    }
}

/// A numpy scalar as a plain number; `None` when the arguments do not fit.
pub(super) fn scalar(heap: &Heap<'_>, file: &[u8], dtype: Value, bytes: Value) -> Option<Value> {
    let NumpyDType { dtype, big_endian } = dtype_of(heap, dtype)?;
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
        StoredDType::U8 => Value::Int(i64::from(b0)),
        StoredDType::Bool => Value::Bool(b0 != 0),
    })
}

/// A numpy array as a view of a storage of its own; `None` when the arguments do not fit.
pub(super) fn array(
    heap: &mut Heap<'_>,
    bytes: Value,
    dtype: Value,
    shape: Value,
    fortran: bool,
) -> Option<View> {
    let NumpyDType { dtype, big_endian } = dtype_of(heap, dtype)?;
    let shape = integers(heap, shape)?;
    let (content, length) = match heap.get(bytes)? {
        Object::Bytes(ByteString::InFile(range)) => (Content::InFile(range.clone()), range.len()),
        Object::Bytes(ByteString::Decoded(bytes)) => (Content::Decoded(bytes.clone()), bytes.len()),
        _ => return None,
    };
    if length % dtype.size() != 0 {
        return None;
    }
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
    let storage = heap.add_storage(Storage {
        dtype,
        elements: (length / dtype.size()) as u64,
        big_endian,
        content,
    });
    Some(View {
        storage,
        offset: 0,
        shape,
        strides,
    })
}
