use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, Rgb32FImage, RgbImage};
use image_tensor::{
    DecodeLimits, ImageTensorError, decode_bytes, decode_file, encode_gif, encode_png, write_png,
};

use crate::fixture;

fn refused(bytes: &[u8]) -> (ImageTensorError, String) {
    let error = decode_bytes("query.png", bytes, &DecodeLimits::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("query.png: "), "{message}");
    (error, message)
}

/// CRC-32 of PNG chunks, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// `png` with another size in its header, checksum made right.
fn with_header_size(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png.to_vec();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn empty_files_say_so() {
    let (error, message) = refused(b"");
    assert!(matches!(error, ImageTensorError::Empty { .. }));
    assert!(message.contains("0 bytes"), "{message}");
}

#[test]
fn text_is_not_an_image() {
    let (error, message) = refused(b"hello, world");
    assert!(matches!(error, ImageTensorError::NotAnImage { .. }));
    assert!(
        message.contains("hello, w") && message.contains("expected PNG"),
        "{message}"
    );
}

#[test]
fn known_formats_without_a_decoder_are_named() {
    let (error, message) = refused(b"qoif\0\0\0\x01\0\0\0\x01\x03\0");
    assert!(matches!(error, ImageTensorError::UnsupportedFormat { .. }));
    assert!(
        message.contains("QOI") && message.contains("convert"),
        "{message}"
    );
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let png = encode_png(&RgbImage::from_pixel(4, 4, Rgb([1, 2, 3]))).unwrap();
    let (error, message) = refused(&with_header_size(&png, 100_000, 100_000));
    assert!(matches!(
        error,
        ImageTensorError::TooLarge {
            width: 100_000,
            height: 100_000,
            ..
        }
    ));
    assert!(message.contains("100000 x 100000"), "{message}");
    // The same bytes with their own size decode: the test changes the header only.
    assert!(
        decode_bytes(
            "query.png",
            &with_header_size(&png, 4, 4),
            &DecodeLimits::default()
        )
        .is_ok()
    );
}

#[test]
fn limits_are_the_callers() {
    let png = encode_png(&RgbImage::new(20, 10)).unwrap();
    let decode = |limits: DecodeLimits| decode_bytes("query.png", &png, &limits);
    let unlimited = DecodeLimits::default();
    assert!(
        decode(DecodeLimits {
            max_pixels: 200,
            ..unlimited.clone()
        })
        .is_ok()
    );
    assert!(matches!(
        decode(DecodeLimits {
            max_pixels: 199,
            ..unlimited.clone()
        }),
        Err(ImageTensorError::TooLarge { .. })
    ));
    assert!(matches!(
        decode(DecodeLimits {
            max_decoded_bytes: 599,
            ..unlimited.clone()
        }),
        Err(ImageTensorError::TooLarge { bytes: 600, .. })
    ));
    assert!(matches!(
        decode(DecodeLimits {
            max_file_bytes: 10,
            ..unlimited
        }),
        Err(ImageTensorError::FileTooLarge { limit: 10, .. })
    ));
}

#[test]
fn every_truncation_is_an_error() {
    let mut cut_short = Vec::new();
    for file in [
        "textured.png",
        "red_then_green.webp",
        "red_cmyk.jpg",
        "orientation_6.jpg",
    ] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        // An animation that ends after its first frame still has that frame, so only the first half is cut there.
        let last = if file.starts_with("red_then_green") {
            bytes.len() / 2
        } else {
            bytes.len() - 2
        };
        for length in (1..last).step_by(7) {
            if decode_bytes(file, &bytes[..length], &DecodeLimits::default()).is_ok() {
                cut_short.push((file, length));
            }
        }
    }
    assert!(
        cut_short.is_empty(),
        "decoded although cut short: {cut_short:?}"
    );
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().join("absent.png"),
        folder.path().to_path_buf(),
    ] {
        let error = decode_file(&path, &DecodeLimits::default()).unwrap_err();
        assert!(matches!(error, ImageTensorError::Read { .. }));
        assert!(
            error.to_string().starts_with(&path.display().to_string()),
            "{error}"
        );
    }
    let target = folder.path().join("absent/picture.png");
    let error = write_png(&target, &RgbImage::new(2, 2)).unwrap_err();
    assert!(
        matches!(&error, ImageTensorError::Write { path, .. } if *path == target),
        "{error}"
    );
}

#[test]
fn images_without_pixels_cannot_be_encoded() {
    assert!(matches!(
        encode_png(&RgbImage::new(0, 3)),
        Err(ImageTensorError::Encode { .. })
    ));
    let timing = image_tensor::FrameTiming {
        frame: std::time::Duration::from_millis(50),
        last: std::time::Duration::from_secs(1),
    };
    assert!(matches!(
        encode_gif(&[RgbImage::new(70_000, 1)], timing),
        Err(ImageTensorError::Encode { .. })
    ));
}

/// A color profile of zeros is compressed to a thousandth; unpacking it must stop at the limit.
#[test]
fn compressed_metadata_is_not_unpacked_beyond_the_limit() {
    const PROFILE: usize = 64 << 20;
    let limits = DecodeLimits {
        max_decoded_bytes: 1 << 20,
        ..DecodeLimits::default()
    };
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(vec![0; PROFILE]).unwrap();
    encoder
        .write_image(&[1, 2, 3], 1, 1, ExtendedColorType::Rgb8)
        .unwrap();
    assert!(bytes.len() < 1 << 20, "the file itself is small");
    let (peak, decoded) = testkit::peak_of(|| {
        decode_bytes("query.png", &bytes, &limits).map(|image| image.into_raw())
    });
    // The limit, the file's own bytes again, and the decoder's buffers of a few dozen kilobytes.
    assert!(peak < 3 << 20, "{peak} bytes");
    // The profile is of no use here, so that the picture may still be read.
    assert!(decoded.is_err() || decoded.unwrap() == [1, 2, 3]);
}

/// The decoder has no palettes in TIFF: the file is sound, so the message must not call it damaged.
#[test]
fn unsupported_kinds_are_not_called_damaged() {
    let (error, message) = refused(&palette_tiff());
    assert!(
        matches!(error, ImageTensorError::UnsupportedKind { .. }),
        "{message}"
    );
    assert!(message.contains("convert it to PNG"), "{message}");
}

/// One pixel of a palette image, little-endian.
fn palette_tiff() -> Vec<u8> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    const PALETTE: u32 = 3;
    const COLORS: u32 = 3 * 256;
    let entries: [(u16, u16, u32); 9] = [
        (256, LONG, 1),
        (257, LONG, 1),
        (258, SHORT, 8),
        (259, SHORT, 1),
        (262, SHORT, PALETTE),
        (273, LONG, 8),
        (277, SHORT, 1),
        (278, LONG, 1),
        (279, LONG, 1),
    ];
    // Header, the pixel, padding to an even offset, then the directory and the colors.
    let mut bytes = b"II*\0\x0A\0\0\0\0\0".to_vec();
    let directory = 2 + 12 * (entries.len() as u32 + 1) + 4;
    bytes.extend((entries.len() as u16 + 1).to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(320u16.to_le_bytes());
    bytes.extend(SHORT.to_le_bytes());
    bytes.extend(COLORS.to_le_bytes());
    bytes.extend((10 + directory).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.resize(bytes.len() + 2 * COLORS as usize, 0);
    bytes
}

/// Rounded to 8 bits, what is no number would be black or white.
#[test]
fn float_samples_that_are_no_numbers_are_refused() {
    let tiff = |sample: f32| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let rgb = Rgb32FImage::from_fn(3, 2, |x, y| {
            Rgb([0.0, 0.5, if (x, y) == (1, 1) { sample } else { 1.0 }])
        });
        rgb.write_to(&mut bytes, image::ImageFormat::Tiff).unwrap();
        bytes.into_inner()
    };
    for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (error, message) = refused(&tiff(sample));
        // Row 1 of three pixels, pixel 1, channel 2.
        assert!(
            matches!(error, ImageTensorError::NotFinite { index: 14, .. }),
            "{message}"
        );
    }
    let decoded = decode_bytes("query.tif", &tiff(1.0), &DecodeLimits::default()).unwrap();
    assert_eq!(decoded.get_pixel(1, 1), &Rgb([0, 128, 255]));
}

#[test]
fn heic_is_named() {
    for brand in ["heic", "mif1"] {
        let bytes = format!("\0\0\0\x18ftyp{brand}\0\0\0\0mif1heic");
        let (_, message) = refused(bytes.as_bytes());
        assert!(
            message.contains("HEIC") && message.contains("convert"),
            "{message}"
        );
    }
}

#[cfg(unix)]
#[test]
fn devices_are_refused_at_once() {
    let error = decode_file("/dev/zero", &DecodeLimits::default()).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("/dev/zero: "), "{message}");
    assert!(matches!(error, ImageTensorError::Read { .. }), "{message}");
}
