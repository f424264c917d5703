use crate::fault::{Fault, malformed};

/// A position in a part of a file. Every length is compared with what is left before anything is read.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    file: &'a [u8],
    position: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Reads `file` from `start` to `end`, both clamped to the file.
    pub(crate) fn new(file: &'a [u8], start: usize, end: usize) -> Self {
        let end = end.min(file.len());
        Self {
            file,
            position: start.min(end),
            end,
        }
    }

    /// Offset of the next byte in the whole file.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn remaining(&self) -> usize {
        self.end - self.position
    }

    pub(crate) fn file(&self) -> &'a [u8] {
        self.file
    }

    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let left = self.remaining();
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= left)
            .ok_or_else(|| {
                malformed!(
                    "{count} bytes are declared at byte {} where {left} are left; the file is truncated or damaged",
                    self.position
                )
            })?;
        let bytes = &self.file[self.position..self.position + count];
        self.position += count;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    /// UTF-8 text of `count` bytes.
    pub(crate) fn text(&mut self, count: u64) -> Result<&'a str, Fault> {
        let position = self.position;
        let bytes = self.take(count)?;
        std::str::from_utf8(bytes)
            .map_err(|e| malformed!("text at byte {position} is not UTF-8 ({e})"))
    }

    /// ASCII or UTF-8 text up to the next line feed, which is consumed.
    pub(crate) fn line(&mut self) -> Result<&'a str, Fault> {
        let position = self.position;
        std::str::from_utf8(self.raw_line()?)
            .map_err(|e| malformed!("text at byte {position} is not UTF-8 ({e})"))
    }

    /// The bytes up to the next line feed, which is consumed.
    pub(crate) fn raw_line(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.file[self.position..self.end];
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or_else(|| malformed!("the line at byte {} has no end", self.position))?;
        let bytes = self.take(length as u64)?;
        self.position += 1;
        Ok(bytes)
    }
}
