//! Reading a file that may be anything: no length is used before it has been compared with the bytes that are there.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use cpu_kernels::triangle;
use half::f16;
use ndarray::{Array1, Array2};

use super::header::Header;
use super::segment::{self, Kind, SegmentHeader};
use super::{ALIGNMENT, is_valid_name};
use crate::RetrievalError;
use crate::settings::{IndexPrecision, IndexSettings, Projection, check_dimensions};
use crate::storage::Storage;

/// How much of a file is compared with its checksums when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Everything, which reads the whole file once.
    Full,
    /// Headers, names, means and projection, but not the factors and samples, which are most of the file: opening takes
    /// milliseconds however large it is. [`Index::verify`](crate::Index::verify) does the rest.
    Tables,
}

/// Where things lie in a file, and what of it is kept in memory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) header: Header,
    pub(crate) settings: IndexSettings,
    pub(crate) segments: Vec<ModelSegment>,
    /// Of all models ever added, in order.
    pub(crate) names: Vec<String>,
    pub(crate) removed: Vec<bool>,
    /// Positions of the models that are there.
    pub(crate) positions: HashMap<String, usize>,
}

/// Models that were added together; ranges are of bytes behind the header.
#[derive(Clone, Debug)]
pub(crate) struct ModelSegment {
    /// Position of its first model.
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) log_normalizers: Vec<f64>,
    pub(crate) means: Range<usize>,
    pub(crate) factors: Range<usize>,
    pub(crate) samples: Range<usize>,
    /// Where each model's samples start, in samples; one more than there are models.
    pub(crate) sample_starts: Vec<usize>,
    bulk: Range<usize>,
    bulk_checksum: u32,
}

struct Reader<'a> {
    path: &'a Path,
    /// The committed bytes behind the header.
    bytes: &'a [u8],
    header: Header,
    layout: Layout,
}

/// Understands all that is committed.
pub(crate) fn read(
    path: &Path,
    storage: &Storage,
    verification: Verification,
) -> Result<Layout, RetrievalError> {
    let (header, bytes) = (storage.header(), storage.segments());
    let (input_dimension, dimension) = (header.input_dimension as usize, header.dimension as usize);
    check_dimensions(input_dimension, dimension).map_err(|e| malformed(path, 0, e.to_string()))?;
    let settings = IndexSettings {
        input_dimension,
        ridge: header.ridge,
        precision: header.precision,
        l2_normalize: header.l2_normalize,
        projection: None,
    };
    if !header.has_projection && header.dimension != header.input_dimension {
        return Err(malformed(
            path,
            0,
            format!(
                "dimensions {} and {} without a projection between them",
                header.dimension, header.input_dimension
            ),
        ));
    }
    let mut reader = Reader {
        path,
        bytes,
        header,
        layout: Layout {
            header,
            settings,
            segments: Vec::new(),
            names: Vec::new(),
            removed: Vec::new(),
            positions: HashMap::new(),
        },
    };
    let mut position = 0;
    let mut segments = 0;
    while position < bytes.len() {
        position = reader.segment(position, segments == 0, verification)?;
        segments += 1;
    }
    if segments != header.segments {
        return Err(malformed(
            path,
            0,
            format!("{segments} segments, its header says {}", header.segments),
        ));
    }
    if header.has_projection && reader.layout.settings.projection.is_none() {
        return Err(malformed(path, 0, "the projection is missing".to_owned()));
    }
    Ok(reader.layout)
}

/// Behind the committed bytes is nothing, or what an append has written that goes on or was interrupted: the beginning
/// of a segment, or the zeros that some file systems leave in its place after a power cut. `rest` are those bytes,
/// `length` of them.
pub(crate) fn check_uncommitted(
    path: &Path,
    committed: u64,
    rest: impl Read,
    length: u64,
) -> Result<(), RetrievalError> {
    let refused = |source| crate::storage::io(path, source);
    let mut rest = rest.take(length);
    let mut start = Vec::with_capacity(segment::SIZE);
    Read::by_ref(&mut rest)
        .take(segment::SIZE as u64)
        .read_to_end(&mut start)
        .map_err(refused)?;
    let is_segment = start
        .first_chunk()
        .and_then(|header| SegmentHeader::from_bytes(header)?.ok())
        .is_some_and(|header| length - segment::SIZE as u64 <= header.payload);
    if is_segment || start.iter().all(|byte| *byte == 0) && is_zero(rest).map_err(refused)? {
        return Ok(());
    }
    Err(RetrievalError::Malformed {
        path: path.to_owned(),
        position: committed,
        reason: format!(
            "{length} bytes follow the last segment, and no append has written them; cut the file to {committed} bytes, or build the index anew"
        ),
    })
}

fn is_zero(mut bytes: impl Read) -> std::io::Result<bool> {
    let mut chunk = vec![0; 1 << 16];
    loop {
        let length = bytes.read(&mut chunk)?;
        if length == 0 {
            return Ok(true);
        }
        if chunk[..length].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

fn malformed(path: &Path, position: usize, reason: String) -> RetrievalError {
    RetrievalError::Malformed {
        path: path.to_owned(),
        position: position as u64,
        reason,
    }
}

impl Reader<'_> {
    fn malformed(&self, position: usize, reason: String) -> RetrievalError {
        malformed(self.path, Header::SIZE + position, reason)
    }

    fn checksum(&self, what: &'static str, position: usize) -> RetrievalError {
        RetrievalError::Checksum {
            path: self.path.to_owned(),
            what,
            position: (Header::SIZE + position) as u64,
        }
    }

    /// Reads the segment at `position` and returns where the next one starts.
    fn segment(
        &mut self,
        position: usize,
        is_first: bool,
        verification: Verification,
    ) -> Result<usize, RetrievalError> {
        let rest = &self.bytes[position..];
        let Some(bytes) = rest.first_chunk() else {
            return Err(self.malformed(
                position,
                format!(
                    "{} bytes are left, a segment has at least {}",
                    rest.len(),
                    segment::SIZE
                ),
            ));
        };
        let header = match SegmentHeader::from_bytes(bytes) {
            None => return Err(self.checksum("a segment's header", position)),
            Some(Err(kind)) => {
                return Err(self.malformed(position, format!("segment of the unknown kind {kind}")));
            }
            Some(Ok(header)) => header,
        };
        let start = position + segment::SIZE;
        let available = self.bytes.len() - start;
        let length = usize::try_from(header.payload)
            .ok()
            .filter(|n| *n <= available && n % ALIGNMENT == 0);
        let Some(length) = length else {
            return Err(self.malformed(
                position,
                format!(
                    "a payload of {} bytes, {available} are left",
                    header.payload
                ),
            ));
        };
        let end = start + length;
        match header.kind {
            Kind::Projection => self.projection(header, start..end, is_first)?,
            Kind::Models => self.models(header, start..end, verification)?,
            Kind::Removal => self.removal(header, start..end)?,
        }
        Ok(end)
    }

    /// Takes `count` elements of `size` bytes off the front of `rest`, with their padding.
    fn take(
        &self,
        rest: &mut Range<usize>,
        what: &str,
        count: usize,
        size: usize,
    ) -> Result<Range<usize>, RetrievalError> {
        let length = count.checked_mul(size).filter(|n| *n <= rest.len());
        let Some(length) = length else {
            return Err(self.malformed(
                rest.start,
                format!(
                    "{count} {what} of {size} bytes do not fit into the {} that are left",
                    rest.len()
                ),
            ));
        };
        let range = rest.start..rest.start + length;
        // Payloads are multiples of the alignment and so is every start, so that padding never passes the end.
        rest.start += length.next_multiple_of(ALIGNMENT);
        Ok(range)
    }

    fn end(&self, rest: Range<usize>) -> Result<(), RetrievalError> {
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.malformed(
            rest.start,
            format!("{} bytes follow the segment's last array", rest.len()),
        ))
    }

    fn check_table(
        &self,
        header: SegmentHeader,
        table: Range<usize>,
    ) -> Result<(), RetrievalError> {
        if crc32fast::hash(&self.bytes[table.clone()]) == header.table_checksum {
            return Ok(());
        }
        Err(self.checksum("a segment's tables", table.start))
    }

    fn floats(&self, what: &'static str, range: Range<usize>) -> Result<&[f32], RetrievalError> {
        let position = range.start;
        let values: &[f32] = bytemuck::cast_slice(&self.bytes[range]);
        match values.iter().find(|v| !v.is_finite()) {
            None => Ok(values),
            Some(value) => Err(self.malformed(
                position,
                format!("{what} with the value {value}, expected finite numbers"),
            )),
        }
    }

    fn projection(
        &mut self,
        header: SegmentHeader,
        payload: Range<usize>,
        is_first: bool,
    ) -> Result<(), RetrievalError> {
        if !is_first || !self.header.has_projection || header.count != self.header.dimension {
            return Err(self.malformed(
                payload.start,
                format!("an unexpected projection to dimension {}", header.count),
            ));
        }
        self.check_table(header, payload.clone())?;
        let (rows, columns) = (header.count as usize, self.header.input_dimension as usize);
        let mut rest = payload;
        let mean = self.take(&mut rest, "numbers of a mean", columns, 4)?;
        // Both factors are below 2^17 after the check of the settings.
        let components = self.take(&mut rest, "numbers of components", rows * columns, 4)?;
        self.end(rest.clone())?;
        let mean = Array1::from(self.floats("a mean", mean)?.to_vec());
        let components = self.floats("components", components)?.to_vec();
        let components =
            Array2::from_shape_vec((rows, columns), components).expect("taken by this shape");
        self.layout.settings.projection = Some(Projection { mean, components });
        Ok(())
    }

    fn models(
        &mut self,
        header: SegmentHeader,
        payload: Range<usize>,
        verification: Verification,
    ) -> Result<(), RetrievalError> {
        if self.header.has_projection && self.layout.settings.projection.is_none() {
            return Err(self.malformed(payload.start, "models before the projection".to_owned()));
        }
        let dimension = self.layout.settings.dimension();
        let size = match self.header.precision {
            IndexPrecision::F32 => 4,
            IndexPrecision::F16 => 2,
        };
        let count = header.count as usize;
        let too_large = |what: &str| {
            self.malformed(
                payload.start,
                format!("{what} beyond what can be addressed"),
            )
        };
        let name_bytes = usize::try_from(header.name_bytes).map_err(|_| too_large("names"))?;
        let sample_count = usize::try_from(header.samples).map_err(|_| too_large("samples"))?;
        let mut rest = payload.clone();
        let names = self.take(&mut rest, "bytes of names", name_bytes, 1)?;
        let log_normalizers = self.take(&mut rest, "log-normalizers", count, 8)?;
        let means = self.take(&mut rest, "means", count, 4 * dimension)?;
        let sample_counts = self.take(&mut rest, "numbers of samples", count, 4)?;
        let table = payload.start..rest.start;
        let bulk = rest.clone();
        let factors = self.take(
            &mut rest,
            "factors",
            count,
            size * triangle::length(dimension),
        )?;
        let samples = self.take(&mut rest, "samples", sample_count, size * dimension)?;
        self.end(rest)?;
        self.check_table(header, table)?;

        self.names(&self.bytes[names.clone()], count, names.start)?
            .into_iter()
            .try_for_each(|name| self.add_name(name, names.start))?;
        let log_normalizers: Vec<f64> = bytemuck::cast_slice(&self.bytes[log_normalizers]).to_vec();
        if let Some(value) = log_normalizers.iter().find(|v| !v.is_finite()) {
            return Err(self.malformed(payload.start, format!("a log-normalizer of {value}")));
        }
        self.floats("a mean", means.clone())?;
        let sample_counts: &[u32] = bytemuck::cast_slice(&self.bytes[sample_counts]);
        let mut sample_starts = vec![0usize];
        for found in sample_counts {
            let end = sample_starts[sample_starts.len() - 1].checked_add(*found as usize);
            sample_starts.push(end.ok_or_else(|| {
                self.malformed(
                    payload.start,
                    "more samples than can be addressed".to_owned(),
                )
            })?);
        }
        if sample_starts.last() != Some(&sample_count) {
            return Err(self.malformed(
                payload.start,
                format!(
                    "{:?} samples of its models, expected {sample_count}",
                    sample_starts.last()
                ),
            ));
        }
        let segment = ModelSegment {
            first: self.layout.names.len() - count,
            count,
            log_normalizers,
            means,
            factors,
            samples,
            sample_starts,
            bulk,
            bulk_checksum: header.bulk_checksum,
        };
        if verification == Verification::Full {
            verify_bulk(self.path, self.bytes, self.header.precision, &segment)?;
        }
        self.layout.segments.push(segment);
        Ok(())
    }

    fn names(
        &self,
        bytes: &[u8],
        count: usize,
        position: usize,
    ) -> Result<Vec<String>, RetrievalError> {
        let mut rest = bytes;
        let mut names = Vec::new();
        for _ in 0..count {
            let name = rest.split_first_chunk().and_then(|(length, after)| {
                let (name, after) =
                    after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
                rest = after;
                std::str::from_utf8(name).ok().filter(|n| is_valid_name(n))
            });
            let Some(name) = name else {
                return Err(self.malformed(
                    position,
                    format!("name {} of {count} cannot be read", names.len()),
                ));
            };
            names.push(name.to_owned());
        }
        if rest.is_empty() {
            return Ok(names);
        }
        Err(self.malformed(
            position,
            format!("{} bytes follow the last of {count} names", rest.len()),
        ))
    }

    fn add_name(&mut self, name: String, position: usize) -> Result<(), RetrievalError> {
        let index = self.layout.names.len();
        if self.layout.positions.insert(name.clone(), index).is_some() {
            return Err(self.malformed(position, format!("two models of the name {name:?}")));
        }
        self.layout.names.push(name);
        self.layout.removed.push(false);
        Ok(())
    }

    fn removal(
        &mut self,
        header: SegmentHeader,
        payload: Range<usize>,
    ) -> Result<(), RetrievalError> {
        self.check_table(header, payload.clone())?;
        let mut rest = payload.clone();
        let positions = self.take(&mut rest, "positions", header.count as usize, 4)?;
        self.end(rest)?;
        let positions: &[u32] = bytemuck::cast_slice(&self.bytes[positions]);
        for position in positions {
            let index = *position as usize;
            if self.layout.removed.get(index) != Some(&false) {
                return Err(self.malformed(
                    payload.start,
                    format!(
                        "model {index} is removed, which is not there; {} were added",
                        self.layout.names.len()
                    ),
                ));
            }
            self.layout.removed[index] = true;
            self.layout.positions.remove(&self.layout.names[index]);
        }
        Ok(())
    }
}

/// Compares factors and samples with their checksum and sees that all are finite.
pub(crate) fn verify_bulk(
    path: &Path,
    segments: &[u8],
    precision: IndexPrecision,
    segment: &ModelSegment,
) -> Result<(), RetrievalError> {
    let bulk = &segments[segment.bulk.clone()];
    if crc32fast::hash(bulk) != segment.bulk_checksum {
        return Err(RetrievalError::Checksum {
            path: path.to_owned(),
            what: "the factors and samples",
            position: (Header::SIZE + segment.bulk.start) as u64,
        });
    }
    let finite = match precision {
        IndexPrecision::F32 => bytemuck::cast_slice::<u8, f32>(bulk)
            .iter()
            .all(|v| v.is_finite()),
        IndexPrecision::F16 => bytemuck::cast_slice::<u8, f16>(bulk)
            .iter()
            .all(|v| v.is_finite()),
    };
    if finite {
        return Ok(());
    }
    Err(malformed(
        path,
        Header::SIZE + segment.bulk.start,
        "factors or samples that are not finite".to_owned(),
    ))
}
