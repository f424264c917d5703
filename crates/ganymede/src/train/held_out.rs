//! The images that training leaves out.

use vision_aided_finetune::ImageSet;

/// An image is never trained on when the upper half of its hash is a multiple of this; see `weights/zoo/render`.
const EVERY: u64 = 8;

/// How many images of the set should have been held out by the rule of the zoo, for query images and evaluation.
pub(super) fn count(images: &ImageSet) -> usize {
    (0..images.len())
        .filter(|index| is_held_out(images.image(*index)))
        .count()
}

fn is_held_out(planes: &[u8]) -> bool {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(red.len());
    let pixels = red.iter().zip(green).zip(blue);
    let hash = fnv1a64(pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]));
    (hash >> 32).is_multiple_of(EVERY)
}

fn fnv1a64(bytes: impl Iterator<Item = u8>) -> u64 {
    const OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01B3;
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a64("a".bytes()), 0xAF63_DC4C_8601_EC8C);
    }

    /// The query images in the repository are held out, so that each of them counts.
    #[test]
    fn the_query_images_count_as_held_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../weights/queries/micah");
        let images = ImageSet::open(folder, 64).expect("eight images");
        assert_eq!(images.len(), 8);
        assert_eq!(count(&images), 8);
    }

    #[test]
    fn about_an_eighth_of_other_images_is_held_out() {
        const SIDE: usize = 8;
        let image = 3 * SIDE * SIDE;
        let bytes: Vec<u8> = (0..800 * image)
            .map(|index| ((index / image * 37) ^ (index * index / 7)) as u8)
            .collect();
        let found = count(&ImageSet::from_bytes(SIDE, bytes));
        // 100 expected with a standard deviation of 9.
        assert!((60..140).contains(&found), "{found}");
    }
}
