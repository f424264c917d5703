use std::io::Read;

use ndarray::{Array2, ShapeBuilder};

use super::header::Header;

/// Largest array: a covariance of 2048 features takes 32 MiB, features of 100 thousand images 800 MB.
const MOST_BYTES: usize = 1 << 30;

/// Numbers of an array in row-major order.
#[derive(Debug)]
pub(super) struct StoredArray {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// Reads a `.npy` file of f32 or f64 in one or two dimensions. The error says what was found and what was expected.
pub(super) fn read_array(reader: &mut impl Read) -> Result<StoredArray, String> {
    let header = Header::read(reader)?;
    let size = match header.descr.as_str() {
        "<f8" => size_of::<f64>(),
        "<f4" => size_of::<f32>(),
        other => {
            return Err(format!(
                "its elements are of type '{other}', expected '<f4' or '<f8'; arrays of objects are pickles, which are not read"
            ));
        }
    };
    let length = header
        .shape
        .iter()
        .try_fold(size, |product, side| product.checked_mul(*side))
        .filter(|length| *length <= MOST_BYTES)
        .ok_or_else(|| {
            format!(
                "its shape {:?} takes more than {MOST_BYTES} bytes",
                header.shape
            )
        })?;
    let mut bytes = Vec::new();
    // One byte more, to see that the data do not go on.
    reader
        .take(length as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("its data cannot be read ({error})"))?;
    if bytes.len() != length {
        return Err(format!(
            "its shape {:?} needs {length} bytes of data, found {}",
            header.shape,
            if bytes.len() < length {
                bytes.len().to_string()
            } else {
                "more".to_owned()
            }
        ));
    }
    let values = if size == size_of::<f64>() {
        let (values, _) = bytes.as_chunks();
        values.iter().map(|b| f64::from_le_bytes(*b)).collect()
    } else {
        let (values, _) = bytes.as_chunks();
        values
            .iter()
            .map(|b| f64::from(f32::from_le_bytes(*b)))
            .collect()
    };
    row_major(header, values)
}

fn row_major(header: Header, values: Vec<f64>) -> Result<StoredArray, String> {
    let shape = header.shape;
    let values = match (shape.as_slice(), header.fortran_order) {
        ([_], _) | ([_, _], false) => values,
        (&[rows, columns], true) => {
            let by_columns = Array2::from_shape_vec((rows, columns).f(), values)
                .expect("as many numbers as the shape says");
            by_columns.iter().copied().collect()
        }
        _ => {
            return Err(format!(
                "it has {} dimensions, expected one or two",
                shape.len()
            ));
        }
    };
    Ok(StoredArray { shape, values })
}
