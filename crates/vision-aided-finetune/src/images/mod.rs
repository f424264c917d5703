//! Training images in memory, and the order they are shown in.

mod order;
mod read;

pub use order::ShuffledOrder;

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use burn::tensor::{Device, Tensor, TensorData};
use image_source::{BadImages, ImageSource, ImageSourceError};
use image_tensor::{Rgb, luma};
use sha2::{Digest, Sha256};

use crate::TrainingError;

/// Channels of images as files have them.
pub(crate) const RGB: usize = 3;
/// Channels of gray images.
pub(crate) const GRAY: usize = 1;
/// Half of the 8-bit range: bytes map to [-1, 1] by `u8 / 127.5 - 1`.
const HALF_RANGE: f32 = 127.5;
/// What a fingerprint starts with.
pub(crate) const FINGERPRINT_ALGORITHM: &str = "sha256";

/// Square images of one size, RGB or [gray](Self::gray), decoded once and kept as bytes.
#[derive(Clone)]
pub struct ImageSet {
    side: usize,
    channels: usize,
    /// `[count, channels, side, side]`, row-major.
    bytes: Vec<u8>,
    /// Computed when it is first asked for, as the parts of a [concatenation](Self::concat) need none.
    fingerprint: OnceLock<String>,
}

impl std::fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSet")
            .field("images", &self.len())
            .field("side", &self.side)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl ImageSet {
    /// The images of a path that an [`ImageSource`] takes (a folder, an archive, a packed file, an image), all of which
    /// must be usable; see [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn open(path: impl AsRef<Path>, side: usize) -> Result<Self, TrainingError> {
        let source = ImageSource::open(path)?;
        Ok(Self::read(&source, side, BadImages::Refuse)?.0)
    }

    /// The images of a source in its order, center-cropped and resized to `side` with Pillow's Lanczos filter, as the
    /// official data preparation does, and why others were left out. Images of a packed file are taken as they are.
    ///
    /// # Errors
    /// When there are no images, one cannot be decoded and [`BadImages::Refuse`] holds, or a packed file holds another
    /// size than `side`.
    pub fn read(
        source: &ImageSource,
        side: usize,
        bad_images: BadImages,
    ) -> Result<(Self, Vec<ImageSourceError>), TrainingError> {
        read::read(source, side, bad_images)
    }

    /// The images of one packed file, as [`open`](Self::open) takes them, in the size that they have there.
    ///
    /// # Errors
    /// When the file cannot be read, is no packed file, or holds no images.
    pub fn open_packed(path: impl AsRef<Path>) -> Result<Self, TrainingError> {
        let source = ImageSource::open_packed(path)?;
        let side = source.packed_sides().next().map_or(0, |(_, side)| side);
        Ok(read::read(&source, side, BadImages::Refuse)?.0)
    }

    /// The images of several sets, one set after the other.
    ///
    /// # Errors
    /// When there are none, or sizes or channels differ.
    pub fn concat(sets: Vec<Self>) -> Result<Self, TrainingError> {
        let mut sets = sets.into_iter();
        let mut all = sets.next().ok_or(TrainingError::InvalidOption {
            option: "images",
            found: "none".into(),
            expected: "at least one folder or packed file".into(),
        })?;
        for set in sets {
            if set.side != all.side {
                return Err(TrainingError::WrongSize {
                    what: "images of a further set".into(),
                    found: set.side,
                    expected: all.side,
                });
            }
            if set.channels != all.channels {
                return Err(TrainingError::InvalidOption {
                    option: "images",
                    found: format!("sets of {} and of {} channels", all.channels, set.channels),
                    expected: "sets of one kind".into(),
                });
            }
            all.bytes.extend_from_slice(&set.bytes);
            all.fingerprint = OnceLock::new();
        }
        Ok(all)
    }

    /// RGB images from bytes `[count, 3, side, side]`, row-major.
    ///
    /// # Panics
    /// When `bytes` is empty or does not hold whole images.
    pub fn from_bytes(side: usize, bytes: Vec<u8>) -> Self {
        let image = RGB * side * side;
        assert!(
            !bytes.is_empty() && bytes.len().is_multiple_of(image),
            "expected a multiple of 3 x {side} x {side} bytes, found {}",
            bytes.len()
        );
        Self::new(side, RGB, bytes)
    }

    /// The images as a generator of so many channels makes them: [gray](Self::gray) for one, as they are for any other
    /// number.
    pub fn for_channels(&self, channels: usize) -> Cow<'_, Self> {
        match channels {
            GRAY if self.channels != GRAY => Cow::Owned(self.gray()),
            _ => Cow::Borrowed(self),
        }
    }

    fn new(side: usize, channels: usize, bytes: Vec<u8>) -> Self {
        Self {
            side,
            channels,
            bytes,
            fingerprint: OnceLock::new(),
        }
    }

    /// The images' [luma](image_tensor::luma), of one channel: what a generator of gray images is trained on.
    pub fn gray(&self) -> Self {
        if self.channels == GRAY {
            return self.clone();
        }
        let area = self.side * self.side;
        let bytes = self.bytes.chunks_exact(RGB * area).flat_map(|image| {
            let value = move |channel: usize, pixel: usize| image[channel * area + pixel];
            (0..area).map(move |pixel| luma(Rgb([0, 1, 2].map(|channel| value(channel, pixel)))))
        });
        Self::new(self.side, GRAY, bytes.collect())
    }

    /// The images averaged down to `side`: each pixel is the rounded mean of a square.
    ///
    /// # Errors
    /// When the images' side is no multiple of `side`.
    pub fn reduced(&self, side: usize) -> Result<Self, TrainingError> {
        if side == 0 || !self.side.is_multiple_of(side) {
            return Err(TrainingError::WrongSize {
                what: "images of a stage".into(),
                found: side,
                expected: self.side,
            });
        }
        let factor = self.side / side;
        let (width, area) = (self.side, factor * factor);
        let mut bytes = Vec::with_capacity(self.bytes.len() / area);
        for plane in self.bytes.chunks_exact(width * width) {
            for rows in plane.chunks_exact(factor * width) {
                for column in (0..width).step_by(factor) {
                    let square = rows
                        .chunks_exact(width)
                        .flat_map(|row| &row[column..column + factor]);
                    let sum: usize = square.map(|byte| usize::from(*byte)).sum();
                    bytes.push(((sum + area / 2) / area) as u8);
                }
            }
        }
        Ok(Self::new(side, self.channels, bytes))
    }

    /// Number of images.
    #[allow(clippy::len_without_is_empty, reason = "a set always has an image")]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.image_bytes()
    }

    /// Width and height of every image.
    pub fn side(&self) -> usize {
        self.side
    }

    /// 3 for RGB, 1 for gray.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Images `[indices, channels, side, side]` in [-1, 1] (`u8 / 127.5 - 1`); those with `mirrored` are flipped left
    /// to right.
    ///
    /// # Panics
    /// When an index is out of range, or the lists differ in length.
    pub fn batch(&self, indices: &[usize], mirrored: &[bool], device: &Device) -> Tensor<4> {
        assert_eq!(indices.len(), mirrored.len(), "one flag an index");
        let mut values = Vec::with_capacity(indices.len() * self.image_bytes());
        let signed = |byte: &u8| f32::from(*byte) / HALF_RANGE - 1.0;
        for (index, mirrored) in indices.iter().zip(mirrored) {
            for row in self.image(*index).chunks_exact(self.side) {
                if *mirrored {
                    values.extend(row.iter().rev().map(signed));
                } else {
                    values.extend(row.iter().map(signed));
                }
            }
        }
        let shape = [indices.len(), self.channels, self.side, self.side];
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The bytes of an image `[channels, side, side]`, row-major: a red, a green and a blue plane, or a gray one.
    ///
    /// # Panics
    /// When the index is out of range.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.image_bytes()..][..self.image_bytes()]
    }

    /// What tells this set from others of its size: `sha256:` and the SHA-256 of all bytes
    /// `[count, channels, side, side]`, in hexadecimal.
    ///
    /// The name of the algorithm comes first, so that a value of another one is not taken for other images.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let digest = Sha256::digest(&self.bytes);
            let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{FINGERPRINT_ALGORITHM}:{hexadecimal}")
        })
    }

    fn image_bytes(&self) -> usize {
        self.channels * self.side * self.side
    }
}
