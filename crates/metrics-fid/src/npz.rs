//! Statistics and features as pytorch-fid and clean-fid keep them: numpy arrays in a zip archive. Files are untrusted:
//! every length is bounded before memory is taken, and nothing but arrays of numbers is read.

mod array;
mod header;

use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::path::{Path, PathBuf};

use feature_stats::MeanCovariance;
use ndarray::{Array1, Array2, ArrayRef, Dimension};
use ndarray_npy::WriteNpyExt;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::MetricsError;
use array::{StoredArray, read_array};

const MEAN: &str = "mu";
const COVARIANCE: &str = "sigma";
const FEATURES: &str = "feats";

/// Reads mean and covariance that pytorch-fid (`--save-stats`), clean-fid (`make_custom_stats`) or the original
/// TensorFlow code saved: the arrays `mu` `[d]` and `sigma` `[d, d]`, of f32 or f64. Other arrays in the file are left
/// alone.
///
/// The file does not say which protocol the features were made under; the caller has to know.
///
/// # Errors
/// When the file cannot be read, an array is missing, larger than a GiB, pickled or no array of floats, or the arrays
/// are no mean and covariance.
pub fn read_npz_statistics(path: impl AsRef<Path>) -> Result<MeanCovariance, MetricsError> {
    let mut file = Npz::open(path.as_ref())?;
    let mean = file.array(MEAN)?;
    let &[dimension] = mean.shape.as_slice() else {
        return Err(file.wrong_shape(MEAN, &mean.shape, "one dimension"));
    };
    let covariance = file.array(COVARIANCE)?;
    if covariance.shape != [dimension, dimension] {
        let expected = format!("[{dimension}, {dimension}]");
        return Err(file.wrong_shape(COVARIANCE, &covariance.shape, &expected));
    }
    let covariance = Array2::from_shape_vec((dimension, dimension), covariance.values)
        .expect("as many numbers as the shape says");
    MeanCovariance::new(Array1::from_vec(mean.values), covariance)
        .map_err(|error| file.malformed(error.to_string()))
}

/// Reads features `[images, dimension]` that clean-fid saved for its KID: the array `feats`, of f32 or f64 and finite.
///
/// # Errors
/// As [`read_npz_statistics`].
pub fn read_npz_features(path: impl AsRef<Path>) -> Result<Array2<f32>, MetricsError> {
    let mut file = Npz::open(path.as_ref())?;
    let features = file.array(FEATURES)?;
    let &[images, dimension] = features.shape.as_slice() else {
        return Err(file.wrong_shape(FEATURES, &features.shape, "[images, dimension]"));
    };
    let values: Vec<f32> = features.values.into_iter().map(|v| v as f32).collect();
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(file.malformed(format!("{FEATURES:?} has the value {value}")));
    }
    Ok(Array2::from_shape_vec((images, dimension), values)
        .expect("as many numbers as the shape says"))
}

/// Writes `mu` and `sigma` in f64, compressed, for pytorch-fid to read; atomically.
///
/// # Errors
/// When the file system refuses.
pub fn write_npz_statistics(
    path: impl AsRef<Path>,
    statistics: &MeanCovariance,
) -> Result<(), MetricsError> {
    let path = path.as_ref();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let written = add_array(&mut archive, MEAN, statistics.mean())
        .and_then(|()| add_array(&mut archive, COVARIANCE, statistics.covariance()))
        .and_then(|()| archive.finish().map_err(std::io::Error::from))
        .and_then(|bytes| whole_file::write_durably(path, |out| out.write_all(bytes.get_ref())));
    written.map_err(|source| MetricsError::Io {
        path: path.to_owned(),
        source,
    })
}

fn add_array<D: Dimension>(
    archive: &mut ZipWriter<Cursor<Vec<u8>>>,
    name: &str,
    array: &ArrayRef<f64, D>,
) -> Result<(), std::io::Error> {
    archive.start_file(format!("{name}.npy"), SimpleFileOptions::default())?;
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).map_err(std::io::Error::other)?;
    archive.write_all(&bytes)
}

/// An open file of arrays.
struct Npz {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
}

impl Npz {
    fn open(path: &Path) -> Result<Self, MetricsError> {
        let file = whole_file::open_regular(path).map_err(|source| MetricsError::Io {
            path: path.to_owned(),
            source,
        })?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| MetricsError::Statistics {
                path: path.to_owned(),
                reason: format!("it is no zip archive ({error}), as .npz files are"),
            })?;
        Ok(Self {
            path: path.to_owned(),
            archive,
        })
    }

    fn malformed(&self, reason: String) -> MetricsError {
        MetricsError::Statistics {
            path: self.path.clone(),
            reason,
        }
    }

    fn wrong_shape(&self, name: &str, found: &[usize], expected: &str) -> MetricsError {
        self.malformed(format!(
            "{name:?} has the shape {found:?}, expected {expected}"
        ))
    }

    fn array(&mut self, name: &str) -> Result<StoredArray, MetricsError> {
        let entry = format!("{name}.npy");
        let array = match self.archive.by_name(&entry) {
            Ok(mut file) => read_array(&mut file),
            Err(error) => Err(format!("it cannot be taken out of the archive ({error})")),
        };
        array.map_err(|reason| self.malformed(format!("array {name:?}: {reason}")))
    }
}
