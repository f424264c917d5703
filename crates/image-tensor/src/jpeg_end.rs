/// Whether a JPEG stream has an end-of-image marker after its first scan begins.
///
/// Segments before the scan are skipped by their lengths, as an embedded EXIF thumbnail is a whole JPEG with an end of
/// its own.
pub(crate) fn jpeg_has_end(bytes: &[u8]) -> bool {
    const MARKER: u8 = 0xFF;
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: u8 = 0xD9;
    // The two bytes of the start-of-image marker come first.
    let mut position = 2;
    loop {
        let Some(&[first, kind]) = bytes.get(position..position + 2) else {
            return false;
        };
        if first != MARKER {
            // Stray bytes between segments are common and harmless.
            position += 1;
        } else if kind == MARKER {
            // Fill byte before a marker.
            position += 1;
        } else if kind == START_OF_SCAN {
            break;
        } else if kind == END_OF_IMAGE {
            return true;
        } else {
            let Some(&[high, low]) = bytes.get(position + 2..position + 4) else {
                return false;
            };
            position += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
    }
    // In entropy-coded data every 0xFF is followed by a zero or a restart marker, so this pair is the marker itself.
    bytes[position..]
        .windows(2)
        .any(|pair| pair == [MARKER, END_OF_IMAGE])
}
