//! From a strided view of a storage to a tensor whose elements follow one another.

use std::sync::Arc;

use crate::StoredTensor;
use crate::limits;
use crate::pickle::{Content, Heap, Storage, View};
use crate::stored_tensor::byte_count;

/// Makes tensors of views. Those that lie in order share the file's bytes; the others are copied, within a budget.
pub(super) struct Elements<'h, 'a> {
    heap: &'h Heap<'a>,
    file: &'h Arc<Vec<u8>>,
    rearranged_left: usize,
}

impl<'h, 'a> Elements<'h, 'a> {
    pub(super) fn new(heap: &'h Heap<'a>, file: &'h Arc<Vec<u8>>) -> Self {
        Self {
            heap,
            file,
            rearranged_left: limits::rearranged_bytes(file.len()),
        }
    }

    /// The tensor of a view, or why there is none.
    pub(super) fn tensor(&mut self, view: &View) -> Result<StoredTensor, String> {
        let View {
            storage,
            offset,
            shape,
            strides,
        } = view;
        let storage = self.heap.storage(*storage);
        let layout = Layout::inside(*offset, shape, strides, storage.elements)?;
        if !layout.is_as_stored(storage) {
            let bytes = layout.bytes(storage)?;
            self.rearranged_left = self.rearranged_left.checked_sub(bytes).ok_or_else(|| {
                format!(
                    "its {bytes} bytes are out of order in the file, as are more tensors than a file of {} bytes should hold",
                    self.file.len()
                )
            })?;
        }
        layout.tensor(storage, self.file)
    }
}

/// The tensor of a whole storage of `file`.
pub(crate) fn tensor_of_view(
    storage: &Storage,
    shape: &[i64],
    strides: &[i64],
    file: &Arc<Vec<u8>>,
) -> Result<StoredTensor, String> {
    Layout::inside(0, shape, strides, storage.elements)?.tensor(storage, file)
}

/// A view whose every element lies inside its storage.
struct Layout {
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
}

impl Layout {
    fn inside(offset: i64, shape: &[i64], strides: &[i64], elements: u64) -> Result<Self, String> {
        let outside = || {
            format!(
                "shape {shape:?}, strides {strides:?} and offset {offset} reach outside its storage of {elements} elements"
            )
        };
        let sizes = |values: &[i64]| -> Option<Vec<usize>> {
            values.iter().map(|v| usize::try_from(*v).ok()).collect()
        };
        let (Some(shape_), Some(strides_), Ok(offset_)) =
            (sizes(shape), sizes(strides), usize::try_from(offset))
        else {
            return Err(outside());
        };
        if shape_.len() != strides_.len() {
            return Err(format!(
                "shape {shape:?} and strides {strides:?} differ in rank"
            ));
        }
        let count = shape_
            .iter()
            .try_fold(1usize, |n, extent| n.checked_mul(*extent));
        // Repeating elements by a stride of zero would let a few bytes stand for any number of weights.
        if count.is_none_or(|count| count as u64 > elements) {
            return Err(format!(
                "shape {shape:?} has more elements than its storage of {elements}"
            ));
        }
        let end = if count == Some(0) {
            Some(offset_)
        } else {
            shape_
                .iter()
                .zip(&strides_)
                .try_fold(offset_, |end, (extent, stride)| {
                    (extent - 1).checked_mul(*stride)?.checked_add(end)
                })
                .and_then(|last| last.checked_add(1))
        };
        if end.is_none_or(|end| end as u64 > elements) {
            return Err(outside());
        }
        Ok(Self {
            shape: shape_,
            strides: strides_,
            offset: offset_,
        })
    }

    fn bytes(&self, storage: &Storage) -> Result<usize, String> {
        byte_count(storage.dtype, &self.shape)
            .ok_or_else(|| format!("shape {:?} is too large", self.shape))
    }

    /// Whether the elements lie in the storage as a tensor has them.
    fn is_as_stored(&self, storage: &Storage) -> bool {
        is_row_major(&self.shape, &self.strides)
            && (!storage.big_endian || storage.dtype.size() == 1)
    }

    fn tensor(self, storage: &Storage, file: &Arc<Vec<u8>>) -> Result<StoredTensor, String> {
        let (owner, start) = match &storage.content {
            Content::Unavailable(reason) => return Err(reason.clone()),
            Content::InFile(range) => (file, range.start),
            Content::Decoded(bytes, range) => (bytes, range.start),
        };
        let bytes = self.bytes(storage)?;
        let size = storage.dtype.size();
        let first = start + self.offset * size;
        if self.is_as_stored(storage) {
            let range = first..first + bytes;
            let owner = Arc::clone(owner);
            return Ok(StoredTensor::shared(
                storage.dtype,
                self.shape,
                owner,
                range,
            ));
        }
        let mut rearranged = Vec::with_capacity(bytes);
        let mut index = vec![0usize; self.shape.len()];
        for _ in 0..bytes / size {
            let element: usize = index.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
            let at = first + element * size;
            rearranged.extend_from_slice(&owner[at..at + size]);
            for axis in (0..self.shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        if storage.big_endian {
            rearranged.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(StoredTensor::new(storage.dtype, self.shape, rearranged))
    }
}

/// Whether elements follow one another as in a plain array; strides of axes with one element mean nothing.
fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    // First, as the other extents of an empty tensor may be of any size.
    if shape.contains(&0) {
        return true;
    }
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let fits = *extent == 1 || *stride == expected;
        expected *= extent;
        fits
    })
}
