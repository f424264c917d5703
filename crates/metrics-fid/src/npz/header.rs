//! The description at the start of a `.npy` file: a Python dictionary of exactly three entries.
//!
//! Differs from the reader of `ndarray-npy`, which takes memory on the header's word and hands its text to a recursive
//! parser: this one reads no more than numpy writes.

use std::io::Read;

/// What every array file starts with.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest description of an array; numpy's own have 118 bytes.
const MOST_TEXT: usize = 1024;

/// Type, layout and shape of an array.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// numpy's name of the elements' type, such as `<f8`.
    pub descr: String,
    /// Whether the first index runs fastest.
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads up to the first byte of the data.
    pub fn read(reader: &mut impl Read) -> Result<Self, String> {
        let cut = |error: std::io::Error| format!("its header cannot be read ({error})");
        let mut start = [0; MAGIC.len() + 2];
        reader.read_exact(&mut start).map_err(cut)?;
        if !start.starts_with(MAGIC) {
            return Err("it does not start as numpy's arrays do".to_owned());
        }
        // Versions after the first have four bytes of length.
        let mut length = [0; 4];
        let length_bytes = if start[MAGIC.len()] == 1 { 2 } else { 4 };
        reader
            .read_exact(&mut length[..length_bytes])
            .map_err(cut)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST_TEXT {
            return Err(format!(
                "its header has {length} bytes, expected at most {MOST_TEXT}"
            ));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(cut)?;
        let text = text.escape_ascii().to_string().replace("\\'", "'");
        let text = text.trim_end_matches("\\n").trim_end();
        Self::parse(text).ok_or_else(|| {
            format!(
                "its header is {text}, expected a plain {{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }}"
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, value) = quoted(rest)?;
            let value = value.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" => {
                    let (found, rest) = quoted(value)?;
                    descr = Some(found.to_owned());
                    rest
                }
                "fortran_order" => {
                    let end = value.find(',').unwrap_or(value.len());
                    fortran_order = Some(match value[..end].trim() {
                        "True" => true,
                        "False" => false,
                        _ => return None,
                    });
                    &value[end..]
                }
                "shape" => {
                    let (sides, rest) = value.strip_prefix('(')?.split_once(')')?;
                    let sides = sides.trim().trim_end_matches(',');
                    let sides = sides.split(',').filter(|side| !side.trim().is_empty());
                    let lengths: Option<Vec<usize>> =
                        sides.map(|side| side.trim().parse().ok()).collect();
                    shape = Some(lengths?);
                    rest
                }
                _ => return None,
            };
            rest = rest.trim_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix(',')?.trim_start();
            }
        }
        Some(Self {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }
}

/// What stands in quotes at the start of a text, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_read_in_any_order() {
        let expected = Header {
            descr: "<f8".to_owned(),
            fortran_order: true,
            shape: vec![3, 40],
        };
        for text in [
            "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 40), }",
            "{\"shape\":(3,40),'fortran_order':True,'descr':'<f8'}",
        ] {
            assert_eq!(Header::parse(text).as_ref(), Some(&expected), "{text}");
        }
        let one = Header::parse("{'descr': '|O', 'fortran_order': False, 'shape': (7,), }");
        assert_eq!(one.unwrap().shape, [7]);
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, -1)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
            "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'more': 1}",
            "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert_eq!(Header::parse(text), None, "{text}");
        }
    }
}
