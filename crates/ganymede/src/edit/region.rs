//! The color of a part of the picture as an attribute: it needs no examples and no labels.

use std::fmt;
use std::str::FromStr;

use ganspace::NamedEdit;
use image_tensor::RgbImage;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A rectangle, in fractions of the picture's width and height from its upper left corner.
///
/// ```
/// use ganymede::edit::Region;
///
/// let upper_half: Region = "0,0,1,0.5".parse()?;
/// assert_eq!(upper_half.to_string(), "0,0,1,0.5");
/// assert!("0,0.5,1,0.5".parse::<Region>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl TryFrom<String> for Region {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.to_string()
    }
}

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> = text
            .split(',')
            .map(|number| number.trim().parse().ok())
            .collect();
        let Some([left, top, right, bottom]) = numbers.as_deref() else {
            return Err(format!(
                "{text:?}: expected four fractions of the picture's sides, LEFT,TOP,RIGHT,BOTTOM such as 0.25,0,0.75,0.5"
            ));
        };
        let region = Self {
            left: *left,
            top: *top,
            right: *right,
            bottom: *bottom,
        };
        let inside = |low: f64, high: f64| 0.0 <= low && low < high && high <= 1.0;
        if inside(region.left, region.right) && inside(region.top, region.bottom) {
            Ok(region)
        } else {
            Err(format!(
                "{text:?}: expected LEFT below RIGHT and TOP below BOTTOM, all from 0 to 1"
            ))
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            left,
            top,
            right,
            bottom,
        } = self;
        write!(f, "{left},{top},{right},{bottom}")
    }
}

impl Region {
    /// Each pixel that the region touches, with the share of the pixel that lies in it.
    fn coverage(self, image: &RgbImage) -> impl Iterator<Item = (u32, u32, f64)> {
        let share = |low: f64, high: f64, length: u32| {
            let (low, high) = (low * f64::from(length), high * f64::from(length));
            (low.floor() as u32..(high.ceil() as u32).min(length)).map(move |pixel| {
                let begin = f64::from(pixel).max(low);
                let end = f64::from(pixel + 1).min(high);
                (pixel, end - begin)
            })
        };
        let rows = share(self.top, self.bottom, image.height());
        let columns = share(self.left, self.right, image.width());
        rows.flat_map(move |(y, height)| {
            let columns = columns.clone();
            columns.map(move |(x, width)| (x, y, width * height))
        })
    }

    /// The column that a column of the region falls on when the region is mirrored from left to right; the nearest,
    /// where it falls between two.
    fn mirrored(self, x: u32, width: u32) -> u32 {
        let across = (self.left + self.right) * f64::from(width) - f64::from(x) - 1.0;
        (across.round().max(0.0) as u32).min(width - 1)
    }

    /// `image` with what `original`, of the same size, has in the region.
    pub fn restored(self, image: &RgbImage, original: &RgbImage) -> RgbImage {
        let mut restored = image.clone();
        for (x, y, _) in self.coverage(image) {
            restored.put_pixel(x, y, *original.get_pixel(x, y));
        }
        restored
    }
}

/// What is measured of the pixels, each color in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Channel {
    /// Mean of red
    Red,
    /// Mean of green
    Green,
    /// Mean of blue
    Blue,
    /// Mean of the luma 0.2126 red + 0.7152 green + 0.0722 blue
    #[default]
    Luminance,
    /// Mean of the largest less the smallest color: 0 is gray
    Chroma,
    /// Mean of red less blue
    Warmth,
    /// Standard deviation of the luma: 0 is an even area
    Contrast,
    /// Mean difference of the luma from that of the mirrored region: 0 is symmetric
    Asymmetry,
}

/// Luma weights of ITU-R BT.709.
const LUMA: [f64; 3] = [0.2126, 0.7152, 0.0722];

impl Channel {
    const ALL: [Self; 8] = [
        Self::Red,
        Self::Green,
        Self::Blue,
        Self::Luminance,
        Self::Chroma,
        Self::Warmth,
        Self::Contrast,
        Self::Asymmetry,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Luminance => "luminance",
            Self::Chroma => "chroma",
            Self::Warmth => "warmth",
            Self::Contrast => "contrast",
            Self::Asymmetry => "asymmetry",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut known = Self::ALL.into_iter();
        known.find(|channel| channel.name() == text).ok_or_else(|| {
            format!(
                "{text:?} is no channel; write one of {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// A channel of a region, written as `luminance 0.25,0,0.75,0.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegionColor {
    /// What of the pixels.
    pub channel: Channel,
    /// Which pixels.
    pub region: Region,
}

impl FromStr for RegionColor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((channel, region)) = text.trim().split_once(' ') else {
            return Err(format!(
                "{text:?}: expected a channel and a region, such as `luminance 0.25,0,0.75,0.5`"
            ));
        };
        Ok(Self {
            channel: channel.parse()?,
            region: region.parse()?,
        })
    }
}

impl fmt::Display for RegionColor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.channel, self.region)
    }
}

impl RegionColor {
    /// What a named edit is said to move, where its entry says so.
    pub(crate) fn of_edit(name: &str, edit: &NamedEdit) -> Result<Option<Self>, Error> {
        if edit.attribute.is_empty() {
            return Ok(None);
        }
        let read = edit.attribute.parse().map_err(|reason| Error::Model {
            model: edit.model.clone(),
            problem: format!("edit {name:?} of {}: attribute {reason}", edit.model),
        })?;
        Ok(Some(read))
    }

    /// The channel over the region, every pixel weighted by its share in it.
    pub fn of(&self, image: &RgbImage) -> f64 {
        let value = |pixel: [f64; 3]| {
            let [red, green, blue] = pixel;
            match self.channel {
                Channel::Red => red,
                Channel::Green => green,
                Channel::Blue => blue,
                Channel::Luminance | Channel::Contrast | Channel::Asymmetry => {
                    pixel.iter().zip(LUMA).map(|(v, weight)| v * weight).sum()
                }
                Channel::Chroma => red.max(green).max(blue) - red.min(green).min(blue),
                Channel::Warmth => red - blue,
            }
        };
        let (mut area, mut sum, mut squares) = (0.0, 0.0, 0.0);
        let at = |x, y| value(image.get_pixel(x, y).0.map(|v| f64::from(v) / 255.0));
        for (x, y, share) in self.region.coverage(image) {
            let value = match self.channel {
                Channel::Asymmetry => {
                    (at(x, y) - at(self.region.mirrored(x, image.width()), y)).abs()
                }
                _ => at(x, y),
            };
            area += share;
            sum += share * value;
            squares += share * value * value;
        }
        let mean = sum / area;
        match self.channel {
            // Rounding may take an even area below 0.
            Channel::Contrast => (squares / area - mean * mean).max(0.0).sqrt(),
            _ => mean,
        }
    }
}

#[cfg(test)]
mod tests {
    use image_tensor::Rgb;

    use super::*;

    /// Left half red, right half black.
    fn halves() -> RgbImage {
        RgbImage::from_fn(4, 4, |x, _| Rgb(if x < 2 { [255, 0, 0] } else { [0; 3] }))
    }

    fn color(text: &str) -> f64 {
        text.parse::<RegionColor>().unwrap().of(&halves())
    }

    /// Sums of a few numbers of order 1 in f64.
    const ROUNDING: f64 = 1e-12;

    #[test]
    fn regions_have_the_colors_that_are_in_them() {
        for (attribute, expected) in [
            ("red 0,0,0.5,1", 1.0),
            ("red 0.5,0,1,1", 0.0),
            ("red 0,0,1,1", 0.5),
            ("green 0,0,1,1", 0.0),
            ("luminance 0,0.25,0.5,0.5", 0.2126),
            ("chroma 0,0,0.5,1", 1.0),
            ("warmth 0,0,1,0.5", 0.5),
            ("contrast 0,0,0.5,1", 0.0),
            // Two values that are as frequent lie as far from their mean.
            ("contrast 0,0,1,1", 0.2126 / 2.0),
            // Red is mirrored to black, and each half alone is even.
            ("asymmetry 0,0,1,1", 0.2126),
            ("asymmetry 0,0,0.5,1", 0.0),
            ("asymmetry 0.25,0,0.75,1", 0.2126),
            // A quarter of a pixel is red and a quarter black; then three eighths of the width are red of five eighths.
            ("red 0.4375,0,0.5625,0.1", 0.5),
            ("red 0.125,0,0.75,1", 0.375 / 0.625),
        ] {
            let found = color(attribute);
            assert!((found - expected).abs() < ROUNDING, "{attribute}: {found}");
        }
    }

    #[test]
    fn attributes_are_written_as_they_are_read() {
        let text = "chroma 0.25,0,0.75,0.5";
        assert_eq!(text.parse::<RegionColor>().unwrap().to_string(), text);
        for wrong in [
            "",
            "chroma",
            "hue 0,0,1,1",
            "red 0,0,1",
            "red 0.5,0,0.5,1",
            "red 0,0.5,1,0.25",
            "red -0.1,0,1,1",
            "red 0,0,1,nan",
        ] {
            assert!(wrong.parse::<RegionColor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_is_restored_and_nothing_else() {
        let white = RgbImage::from_pixel(4, 4, Rgb([255; 3]));
        let region: Region = "0,0,0.5,0.5".parse().unwrap();
        let restored = region.restored(&white, &halves());
        for (x, y, pixel) in restored.enumerate_pixels() {
            let expected = if x < 2 && y < 2 {
                [255, 0, 0]
            } else {
                [255; 3]
            };
            assert_eq!(pixel.0, expected);
        }
    }
}
