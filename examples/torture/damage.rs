//! Ways in which a file goes bad.

use crate::random::Random;

/// One change of a kind that is drawn: what disks, downloads and editors do, and what somebody does who tries.
pub fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return vec![random.next() as u8];
    }
    let place = random.below(bytes.len());
    match random.below(8) {
        0 => bytes.truncate(place),
        1 => bytes.clear(),
        2 => bytes[place] ^= 1 << random.below(8),
        3 => {
            let end = (place + 1 + random.below(64)).min(bytes.len());
            bytes[place..end].fill_with(|| random.next() as u8);
        }
        // A page of zeros, as a power cut leaves.
        4 => {
            let end = (place + 4096).min(bytes.len());
            bytes[place..end].fill(0);
        }
        5 => bytes.extend((0..=random.below(300)).map(|_| random.next() as u8)),
        // A digit: texts and headers.
        6 => {
            let digits: Vec<usize> = (0..bytes.len().min(1 << 16))
                .filter(|index| bytes[*index].is_ascii_digit())
                .collect();
            let digit = digits.get(random.below(digits.len().max(1))).copied();
            let place = digit.unwrap_or(place);
            bytes[place] = b'0' + (bytes[place].wrapping_sub(b'0').wrapping_add(1)) % 10;
        }
        _ => {
            let escape = b"\x1b[2J\x1b]0;x\x07";
            let end = (place + escape.len()).min(bytes.len());
            bytes[place..end].copy_from_slice(&escape[..end - place]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_damage_and_others_differ() {
        let bytes: Vec<u8> = (0..200).collect();
        let of = |seed| damaged(&bytes, &mut Random::new(seed));
        assert_eq!(of(1), of(1));
        assert!((0..50).all(|seed| of(seed) != bytes || seed == u64::MAX));
        assert!((1..50).any(|seed| of(seed) != of(0)));
        assert_eq!(damaged(&[], &mut Random::new(0)).len(), 1);
    }
}
