use std::io::{self, Seek, Write};

use super::segment::{Kind, SIZE, SegmentHeader};
use super::{ALIGNMENT, Header};
use crate::settings::{IndexSettings, Projection};

/// What is written of one model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) name: &'a str,
    pub(crate) log_normalizer: f64,
    /// `[d]`.
    pub(crate) mean: &'a [f32],
    /// Panels in the index's precision.
    pub(crate) factor: &'a [u8],
    pub(crate) sample_count: u32,
    /// `[sample_count, d]` in the index's precision.
    pub(crate) samples: &'a [u8],
}

/// Writes a whole file.
pub(crate) fn write_index(
    out: &mut (impl Write + Seek),
    settings: &IndexSettings,
    records: &[Record<'_>],
) -> io::Result<()> {
    let mut header = Header::new(settings);
    out.write_all(&header.to_bytes())?;
    if let Some(projection) = &settings.projection {
        header.add_segment(write_projection(out, projection)?);
    }
    if !records.is_empty() {
        header.add_segment(write_models(out, records)?);
    }
    // Only now are the committed bytes known.
    out.rewind()?;
    out.write_all(&header.to_bytes())?;
    out.flush()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// Writes a segment of one table and says how many bytes it has.
fn write_table(
    out: &mut impl Write,
    kind: Kind,
    count: usize,
    mut table: Vec<u8>,
) -> io::Result<u64> {
    pad(&mut table);
    let header = SegmentHeader {
        kind,
        count: count as u32,
        name_bytes: 0,
        samples: 0,
        payload: table.len() as u64,
        table_checksum: crc32fast::hash(&table),
        bulk_checksum: 0,
    };
    out.write_all(&header.to_bytes())?;
    out.write_all(&table)?;
    Ok(SIZE as u64 + header.payload)
}

fn write_projection(out: &mut impl Write, projection: &Projection) -> io::Result<u64> {
    let mut table = Vec::new();
    table.extend(projection.mean.iter().flat_map(|v| v.to_le_bytes()));
    pad(&mut table);
    table.extend(projection.components.iter().flat_map(|v| v.to_le_bytes()));
    write_table(out, Kind::Projection, projection.components.nrows(), table)
}

/// Marks models as removed by their positions.
pub(crate) fn write_removal(out: &mut impl Write, positions: &[u32]) -> io::Result<u64> {
    let table = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
    write_table(out, Kind::Removal, positions.len(), table)
}

/// Writes one segment of models without collecting their factors, and says how many bytes it has.
pub(crate) fn write_models(out: &mut impl Write, records: &[Record<'_>]) -> io::Result<u64> {
    let mut table = Vec::new();
    for record in records {
        table.extend((record.name.len() as u16).to_le_bytes());
        table.extend(record.name.as_bytes());
    }
    let name_bytes = table.len() as u64;
    pad(&mut table);
    table.extend(records.iter().flat_map(|r| r.log_normalizer.to_le_bytes()));
    pad(&mut table);
    let means = records.iter().flat_map(|r| r.mean);
    table.extend(means.flat_map(|v| v.to_le_bytes()));
    pad(&mut table);
    table.extend(records.iter().flat_map(|r| r.sample_count.to_le_bytes()));
    pad(&mut table);

    // Factors and samples twice, once for the checksum that goes before them.
    let mut checksum = crc32fast::Hasher::new();
    let mut bulk = 0;
    for_each_bulk(records, |bytes| {
        checksum.update(bytes);
        bulk += bytes.len();
        Ok(())
    })?;
    let header = SegmentHeader {
        kind: Kind::Models,
        count: records.len() as u32,
        name_bytes,
        samples: records.iter().map(|r| u64::from(r.sample_count)).sum(),
        payload: (table.len() + bulk) as u64,
        table_checksum: crc32fast::hash(&table),
        bulk_checksum: checksum.finalize(),
    };
    out.write_all(&header.to_bytes())?;
    out.write_all(&table)?;
    for_each_bulk(records, |bytes| out.write_all(bytes))?;
    Ok(SIZE as u64 + header.payload)
}

/// The bytes of factors and samples in their order in the file, with padding.
fn for_each_bulk(
    records: &[Record<'_>],
    mut visit: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let parts: [fn(&Record<'_>) -> usize; 2] = [|r| r.factor.len(), |r| r.samples.len()];
    for (part, length) in parts.into_iter().enumerate() {
        for record in records {
            visit(if part == 0 {
                record.factor
            } else {
                record.samples
            })?;
        }
        let bytes: usize = records.iter().map(length).sum();
        visit(&[0; ALIGNMENT][..bytes.next_multiple_of(ALIGNMENT) - bytes])?;
    }
    Ok(())
}
