//! Weights that every implementation can compute from their names, so that full-size networks need no files.

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;

/// The text put before every seeded name: the environment variable `REFERENCE_SALT`, empty when unset.
pub fn reference_salt() -> String {
    std::env::var("REFERENCE_SALT").unwrap_or_default()
}

/// Values of mean 0 and variance `std`² for the tensor `name` with `count` elements in row-major order.
///
/// `u_i = (splitmix64(fnv1a64(salt + name) + i) >> 40) / 2^24`, and the value is
/// `std * sqrt(3) * (2 u_i - 1)`, computed in f64 and rounded once.
pub fn seeded(name: &str, count: usize, std: f64) -> Vec<f32> {
    let hash = fnv1a64(&format!("{}{name}", reference_salt()));
    (0..count as u64)
        .map(|i| {
            let uniform = (splitmix64(hash.wrapping_add(i)) >> 40) as f64 / f64::from(1u32 << 24);
            (std * 3f64.sqrt() * (2.0 * uniform - 1.0)) as f32
        })
        .collect()
}

fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_has_its_published_value() {
        assert_eq!(fnv1a64("a"), 0xAF63_DC4C_8601_EC8C);
    }

    #[test]
    fn values_equal_the_check_values_of_the_reference() {
        if !reference_salt().is_empty() {
            return;
        }
        // `seeded.check.json` of the reference files: f32 values written as the doubles they are.
        let expected = [
            0.082_053_363_323_211_67_f64,
            -0.256_557_434_797_287,
            -1.073_275_566_101_074_2,
            1.081_070_780_754_089_4,
        ];
        let values: Vec<f64> = seeded("check", 4, 1.0).into_iter().map(f64::from).collect();
        assert_eq!(values, expected);
    }
}
