//! Inversions on the disk, a file each, called after their key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checkpoint_file::{Checkpoint, FloatPrecision, save_safetensors};
use image_tensor::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{Error, Observer, Warning, files, text};

/// How good an inversion is. Numbers are written as text that reads back as the same number, infinite ones too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    #[serde(with = "text")]
    pub lpips_alex: f64,
    #[serde(with = "text")]
    pub lpips_vgg: f64,
    /// In dB, of the reconstruction as it is kept: clipped, in 8 bits.
    #[serde(with = "text")]
    pub psnr: f64,
    /// Of values in [-1, 1], before clipping.
    #[serde(with = "text")]
    pub mse: f64,
    /// Euclidean norm over all layers.
    #[serde(with = "text")]
    pub w_plus_distance: f64,
}

/// An inversion as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub measures: Measures,
    /// `[num_ws, w_dim]`.
    pub w_plus: Array2<f32>,
    pub reconstruction: RgbImage,
    /// Wall time of its batch, divided by the images that were inverted there; not known of those from parts.
    pub seconds: Option<f64>,
}

/// A folder of inversions.
pub struct Cache {
    folder: PathBuf,
}

const KEY: &str = "key";
const LPIPS_ALEX: &str = "lpips_alex";
const LPIPS_VGG: &str = "lpips_vgg";
const PSNR: &str = "psnr";
const MSE: &str = "mse";
const W_PLUS_DISTANCE: &str = "w_plus_distance";
const SECONDS: &str = "seconds";
const W_PLUS: &str = "w_plus";
const RECONSTRUCTION: &str = "reconstruction";

impl Cache {
    /// The folder is made where there is none.
    pub fn open(folder: PathBuf) -> Result<Self, Error> {
        files::make_folder(&folder)?;
        Ok(Self { folder })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, key: &str) -> PathBuf {
        files::file(&self.folder, key, "safetensors")
    }

    /// Writes an inversion; other processes may be writing the same. `about` are lines for people.
    pub fn keep(&self, key: &str, kept: &Kept, about: &[(&str, &str)]) -> Result<(), Error> {
        let (w_plus, reconstruction) = kept.tensors();
        let tensors = BTreeMap::from([
            (W_PLUS.to_owned(), w_plus),
            (RECONSTRUCTION.to_owned(), reconstruction),
        ]);
        // Numbers are written as text that reads back as the same number.
        let numbers = [
            (LPIPS_ALEX, kept.measures.lpips_alex),
            (LPIPS_VGG, kept.measures.lpips_vgg),
            (PSNR, kept.measures.psnr),
            (MSE, kept.measures.mse),
            (W_PLUS_DISTANCE, kept.measures.w_plus_distance),
        ];
        let seconds = kept.seconds.map(|seconds| (SECONDS, seconds));
        let numbers = numbers.into_iter().chain(seconds);
        let numbers = numbers.map(|(name, value)| (name.to_owned(), value.to_string()));
        let texts = [(KEY, key)].into_iter().chain(about.iter().copied());
        let metadata = texts
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .chain(numbers)
            .collect();
        Ok(save_safetensors(
            self.file(key),
            &tensors,
            &metadata,
            FloatPrecision::F32,
        )?)
    }

    /// The inversion of a key; none where it is not kept. A damaged file counts as none, which the observer hears.
    pub fn find(&self, key: &str, observer: &mut dyn Observer) -> Option<Kept> {
        let file = self.file(key);
        if !file.exists() {
            return None;
        }
        match read(&file, key) {
            Ok(kept) => Some(kept),
            Err(reason) => {
                observer.warn(&Warning::InvertedAgain {
                    file,
                    reason: reason.to_string(),
                });
                None
            }
        }
    }

    /// The inversion of a key that was made before.
    pub fn require(
        &self,
        key: &str,
        image: &str,
        model: &str,
        observer: &mut dyn Observer,
    ) -> Result<Kept, Error> {
        self.find(key, observer).ok_or_else(|| Error::File {
            path: self.folder.clone(),
            problem: format!(
                "the inversion of {image} into {model} was there and is no longer; run the same study again"
            ),
        })
    }

    /// Takes those of `keys` that this cache lacks from another; says how many.
    pub fn merge<'a>(
        &self,
        from: &Path,
        keys: impl Iterator<Item = &'a str>,
        observer: &mut dyn Observer,
    ) -> Result<usize, Error> {
        if !from.is_dir() {
            return Err(Error::option(
                "merge",
                from.display(),
                "no folder there, and no part; name parts, folders of parts or caches",
            ));
        }
        let other = Self {
            folder: from.to_owned(),
        };
        let mut taken = 0;
        for key in keys {
            if self.find(key, observer).is_some() || other.find(key, observer).is_none() {
                continue;
            }
            let from = other.file(key);
            let mut copied =
                whole_file::open_regular(&from).map_err(Error::io(&from, "cannot be read"))?;
            let file = self.file(key);
            whole_file::write_with(&file, |out| std::io::copy(&mut copied, out).map(drop))
                .map_err(Error::io(&file, "cannot be written"))?;
            taken += 1;
        }
        Ok(taken)
    }
}

/// Why a file is no inversion, for people.
type Reason = Box<dyn std::error::Error + Send + Sync>;

fn read(file: &Path, key: &str) -> Result<Kept, Reason> {
    let checkpoint = Checkpoint::open(file)?;
    let text = |name: &str| {
        checkpoint
            .metadata()
            .get(name)
            .ok_or_else(|| Reason::from(format!("no {name:?} in it, expected an inversion")))
    };
    let number = |name: &str| -> Result<f64, Reason> { Ok(text(name)?.parse()?) };
    let tensor = |name: &str| {
        checkpoint
            .tensors()
            .get(name)
            .ok_or_else(|| Reason::from(format!("no tensor {name:?} in it, expected an inversion")))
    };
    if text(KEY)? != key {
        return Err("it holds another inversion than its name says".into());
    }
    let measures = Measures {
        lpips_alex: number(LPIPS_ALEX)?,
        lpips_vgg: number(LPIPS_VGG)?,
        psnr: number(PSNR)?,
        mse: number(MSE)?,
        w_plus_distance: number(W_PLUS_DISTANCE)?,
    };
    let seconds = checkpoint.metadata().get(SECONDS);
    let seconds = seconds.map(|text| text.parse()).transpose()?;
    let (w_plus, reconstruction) = (tensor(W_PLUS)?, tensor(RECONSTRUCTION)?);
    Kept::of_tensors(w_plus, reconstruction, measures, seconds).ok_or_else(|| {
        let shapes = (w_plus.shape(), reconstruction.shape());
        format!("latents and reconstruction of the shapes {shapes:?}").into()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;
    use image_tensor::Rgb;

    fn kept(number: u8) -> Kept {
        Kept {
            measures: Measures {
                lpips_alex: 0.1 + f64::from(number),
                lpips_vgg: f64::from(0.3f32),
                psnr: 20.0 / 3.0,
                mse: 1.0 / 3.0,
                w_plus_distance: 1e-7,
            },
            w_plus: Array2::from_shape_fn((3, 2), |(i, j)| 0.1 * (i * 2 + j) as f32),
            reconstruction: RgbImage::from_fn(4, 5, |x, y| Rgb([x as u8, y as u8, number])),
            seconds: Some(0.25),
        }
    }

    #[test]
    fn what_is_kept_is_found_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("new/cache")).unwrap();
        assert_eq!(cache.find("k", &mut ()), None);
        cache.keep("k", &kept(1), &[("image", "a/1")]).unwrap();
        assert_eq!(cache.find("k", &mut ()), Some(kept(1)));

        let file = cache.file("k");
        std::fs::copy(&file, cache.file("renamed")).unwrap();
        assert_eq!(cache.find("renamed", &mut ()), None);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(cache.find("k", &mut ()), None);
    }

    #[test]
    fn merging_takes_what_is_wanted_and_lacking() {
        let folder = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|n| Cache::open(folder.path().join(n)).unwrap());
        to.keep("a", &kept(1), &[]).unwrap();
        for (key, number) in [("a", 2), ("b", 3), ("unwanted", 4)] {
            from.keep(key, &kept(number), &[]).unwrap();
        }
        std::fs::write(from.file("damaged"), b"no file of tensors").unwrap();
        let wanted = ["a", "b", "damaged", "nowhere"];
        assert_eq!(
            to.merge(from.folder(), wanted.into_iter(), &mut ())
                .unwrap(),
            1
        );
        assert_eq!(to.find("a", &mut ()), Some(kept(1)));
        assert_eq!(to.find("b", &mut ()), Some(kept(3)));
        assert_eq!(to.find("unwanted", &mut ()), None);
        let nowhere = folder.path().join("nowhere");
        let error = to.merge(&nowhere, wanted.into_iter(), &mut ()).unwrap_err();
        assert!(error.to_string().contains("no folder"), "{error}");
    }
}
