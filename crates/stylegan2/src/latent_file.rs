//! Latents that projectors and encoders have written.

use std::path::Path;

use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor, shown};

use crate::StyleGan2Error;

/// Endings of files that [`LatentFile::read`] reads: our own and StyleGAN2 code's safetensors, numpy's, PyTorch's.
const ENDINGS: [&str; 7] = ["safetensors", "npz", "npy", "pt", "pth", "pkl", "bin"];

/// What latents are called in files, best first: ours, the official projector's (`w`), rosinality's (`latent`), and the
/// names of encoders and editors.
const NAMES: [&str; 15] = [
    "w_plus",
    "projected_w",
    "w_opt",
    "wp",
    "ws",
    "w",
    "latent",
    "latents",
    "latent_code",
    "latent_codes",
    "dlatent",
    "dlatents",
    "codes",
    "w_pivot",
    "tensor",
];

/// Latents of published sizes: two layers a resolution, from 4x4 to 1024x1024.
const MOST_LAYERS: usize = 18;

/// The latents of one file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LatentFile {
    /// In the order of the file.
    pub latents: Vec<FileLatent>,
    /// The model that they are of, where the file says so (the metadata entry `model` of our own files).
    pub model: Option<String>,
    /// What is added to the features behind a block, where the file has it: our own files of refined inversions.
    pub offset: Option<FileOffset>,
}

/// An offset of features as a file has it: the tensor `feature_offset.bN`, `[1, channels, N, N]`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FileOffset {
    /// Side of the block's output, N.
    pub resolution: usize,
    /// Channels of that block.
    pub channels: usize,
    /// Row-major `[channels, N, N]`.
    pub values: Vec<f32>,
}

impl FileOffset {
    /// What the tensor of a block is called in files.
    pub fn tensor_name(resolution: usize) -> String {
        format!("{OFFSET_PREFIX}{resolution}")
    }
}

/// The tensor of an offset, before the side of its block.
const OFFSET_PREFIX: &str = "feature_offset.b";

/// One latent of a file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FileLatent {
    /// Where it stands in the file: the tensor's name, and its row where there are several.
    pub name: String,
    /// Row-major `[num_ws, w_dim]`; a latent of W is repeated for every layer.
    pub w_plus: Vec<f32>,
}

impl LatentFile {
    /// Whether a file's name ends as those of latents do. Images end otherwise.
    pub fn is_named_so(path: impl AsRef<Path>) -> bool {
        let extension = path.as_ref().extension().and_then(|e| e.to_str());
        extension.is_some_and(|e| ENDINGS.contains(&e.to_ascii_lowercase().as_str()))
    }

    /// The latents of a file for a generator of `num_ws` layers and `w_dim` features.
    ///
    /// Understood are our own files, `projected_w.npz` of the official projector, the pivots of PTI, `.npy` and `.pt`
    /// files of one array, the files of rosinality's `projector.py`, and arrays under the usual names. Shapes are
    /// `[w_dim]`, `[1, w_dim]`, `[num_ws, w_dim]`, `[batch, 1, w_dim]` and `[batch, num_ws, w_dim]`; rows of another
    /// number than any generator's layers, `[batch, w_dim]`, are latents of W.
    ///
    /// # Errors
    /// When the file cannot be read, has no such array, or one of another shape, type or with values that are not
    /// finite.
    pub fn read(
        path: impl AsRef<Path>,
        num_ws: usize,
        w_dim: usize,
    ) -> Result<Self, StyleGan2Error> {
        Self::of_checkpoint(&Checkpoint::open(path)?, num_ws, w_dim)
    }

    /// What to tell someone who uses the latents with the model of this name: that the file says that they are of
    /// another one.
    pub fn note_for(&self, model: &str) -> Option<String> {
        let other = self.model.as_deref().filter(|other| *other != model)?;
        Some(format!(
            "the file says that its latents are of the model {}; with {model} they give other images",
            shown(other)
        ))
    }

    /// As [`read`](Self::read), of an open file.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for those of reading.
    pub fn of_checkpoint(
        file: &Checkpoint,
        num_ws: usize,
        w_dim: usize,
    ) -> Result<Self, StyleGan2Error> {
        let expected = Expected {
            file,
            num_ws,
            w_dim,
        };
        let mut latents = Vec::new();
        for (name, tensor) in expected.tensors()? {
            expected.read(name, tensor, &mut latents)?;
        }
        let offset = expected.offset()?;
        if offset.is_some() && latents.len() > 1 {
            return Err(expected.wrong(format!(
                "has {} latents and an offset of features; expected one latent with it",
                latents.len()
            )));
        }
        Ok(Self {
            latents,
            model: file.metadata().get("model").cloned(),
            offset,
        })
    }
}

struct Expected<'a> {
    file: &'a Checkpoint,
    num_ws: usize,
    w_dim: usize,
}

impl<'a> Expected<'a> {
    fn wrong(&self, reason: String) -> StyleGan2Error {
        StyleGan2Error::Latents {
            path: self.file.path().to_owned(),
            reason,
        }
    }

    /// The arrays that hold latents.
    fn tensors(&self) -> Result<Vec<(&'a str, &'a StoredTensor)>, StyleGan2Error> {
        let all = self.file.tensors();
        for known in NAMES {
            let found: Vec<(&str, &StoredTensor)> = all
                .iter()
                .map(|(name, tensor)| (name.as_str(), tensor))
                .filter(|(name, _)| last_segment(name) == known)
                .collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let of_features = |tensor: &StoredTensor| tensor.shape().last() == Some(&self.w_dim);
        let mut fitting = all.iter().filter(|(_, tensor)| of_features(tensor));
        match (fitting.next(), fitting.next()) {
            (Some((name, tensor)), None) if last_segment(name) != "z" => Ok(vec![(name, tensor)]),
            _ => Err(self.no_latents()),
        }
    }

    fn no_latents(&self) -> StyleGan2Error {
        const SHOWN: usize = 6;
        let all = self.file.tensors();
        if all.keys().any(|name| last_segment(name) == "z") {
            return self.wrong(
                "holds latents z, from which the mapping network makes w; expected w, as projectors and encoders write it".to_owned(),
            );
        }
        if let Some((name, element_type)) = self.file.opaque().iter().next() {
            return self.wrong(format!(
                "holds {} of the type {}, which is not read; save the latents alone, as an array of 32-bit floats",
                shown(name),
                shown(element_type)
            ));
        }
        let found: Vec<String> = all
            .iter()
            .take(SHOWN)
            .map(|(name, tensor)| format!("{} {:?}", shown(name), tensor.shape()))
            .collect();
        let found = match found.as_slice() {
            [] => "nothing".to_owned(),
            some => some.join(", "),
        };
        self.wrong(format!(
            "no latents found; it holds {found}; expected an array w_plus, w or latent of [{}, {}] numbers, or of [{}]",
            self.num_ws, self.w_dim, self.w_dim
        ))
    }

    fn read(
        &self,
        name: &str,
        tensor: &StoredTensor,
        latents: &mut Vec<FileLatent>,
    ) -> Result<(), StyleGan2Error> {
        if !tensor.dtype().is_float() {
            return Err(StyleGan2Error::from(CheckpointError::WrongDType {
                path: self.file.path().to_owned(),
                tensor: name.to_owned(),
                found: format!("{:?}", tensor.dtype()),
            }));
        }
        let values = tensor.to_f32();
        self.check_finite(name, &values)?;
        let layers = self.layers(name, tensor.shape())?;
        let one: Vec<&[f32]> = values.chunks_exact(layers * self.w_dim).collect();
        if one.is_empty() {
            return Err(self.wrong(format!("{} has no rows; expected latents", shown(name))));
        }
        let is_single = one.len() == 1;
        for (row, latent) in one.into_iter().enumerate() {
            latents.push(FileLatent {
                name: if is_single {
                    name.to_owned()
                } else {
                    format!("{name}[{row}]")
                },
                w_plus: latent.repeat(self.num_ws / layers),
            });
        }
        Ok(())
    }

    fn check_finite(&self, name: &str, values: &[f32]) -> Result<(), StyleGan2Error> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => Err(StyleGan2Error::from(CheckpointError::NonFinite {
                path: self.file.path().to_owned(),
                tensor: name.to_owned(),
                index,
                value: values[index],
            })),
        }
    }

    /// The offset of features, where the file has one.
    fn offset(&self) -> Result<Option<FileOffset>, StyleGan2Error> {
        let mut offsets =
            self.file.tensors().iter().filter_map(|(name, tensor)| {
                Some((name, name.strip_prefix(OFFSET_PREFIX)?, tensor))
            });
        let Some((name, side, tensor)) = offsets.next() else {
            return Ok(None);
        };
        if offsets.next().is_some() {
            return Err(self
                .wrong("has offsets of the features of several blocks; expected one".to_owned()));
        }
        let resolution = side.parse().ok().filter(|side| *side > 0);
        let (Some(resolution), [1, channels, height, width], true) =
            (resolution, tensor.shape(), tensor.dtype().is_float())
        else {
            return Err(self.wrong(format!(
                "{} is {:?} of shape {:?}; expected feature_offset.bN, floats of shape [1, channels, N, N]",
                shown(name),
                tensor.dtype(),
                tensor.shape()
            )));
        };
        if [*height, *width] != [resolution; 2] {
            return Err(self.wrong(format!(
                "{} has the shape {:?}; expected [1, channels, {resolution}, {resolution}]",
                shown(name),
                tensor.shape()
            )));
        }
        let values = tensor.to_f32();
        self.check_finite(name, &values)?;
        Ok(Some(FileOffset {
            resolution,
            channels: *channels,
            values,
        }))
    }

    /// How many layers a latent has in the file: one, or all.
    fn layers(&self, name: &str, shape: &[usize]) -> Result<usize, StyleGan2Error> {
        let Self { num_ws, w_dim, .. } = *self;
        let wrong = |why: &str| {
            Err(self.wrong(format!(
                "{} has the shape {shape:?}, expected [{num_ws}, {w_dim}] or [{w_dim}], alone or several{why}; use latents of this model",
                shown(name)
            )))
        };
        let leading = shape.iter().take_while(|extent| **extent == 1).count();
        // Axes of one element before the last two say nothing.
        let shape = &shape[leading.min(shape.len().saturating_sub(2))..];
        let is_of_other_model =
            |layers: usize| layers.is_multiple_of(2) && (2..=MOST_LAYERS).contains(&layers);
        match *shape {
            [features] | [1, features] if features == w_dim => Ok(1),
            [layers, features] | [_, layers, features] if (layers, features) == (num_ws, w_dim) => {
                Ok(num_ws)
            }
            [_, 1, features] if features == w_dim => Ok(1),
            [layers, features] | [_, layers, features]
                if features == w_dim && is_of_other_model(layers) =>
            {
                let side = 2 << (layers / 2);
                wrong(&format!(
                    " ({layers} layers are those of images of {side} x {side})"
                ))
            }
            [_, features] if features == w_dim => Ok(1),
            _ => wrong(""),
        }
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NUM_WS: usize = 8;
    const W_DIM: usize = 3;

    fn file(tensors: &[(&str, &[usize])]) -> Checkpoint {
        let tensors = tensors.iter().map(|(name, shape)| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|i: usize| i as f32)
                .collect();
            (
                (*name).to_owned(),
                StoredTensor::from_f32(shape.to_vec(), &values),
            )
        });
        let metadata = BTreeMap::from([("model".to_owned(), "micah".to_owned())]);
        Checkpoint::from_tensors("some.npz", tensors.collect(), metadata)
    }

    fn read(tensors: &[(&str, &[usize])]) -> Result<LatentFile, String> {
        LatentFile::of_checkpoint(&file(tensors), NUM_WS, W_DIM).map_err(|e| e.to_string())
    }

    #[test]
    fn every_published_shape_is_understood() {
        let all: Vec<f32> = (0..NUM_WS * W_DIM).map(|i| i as f32).collect();
        let same = [0.0, 1.0, 2.0].repeat(NUM_WS);
        for (shape, count, first) in [
            (&[8, 3][..], 1, &all),
            (&[1, 8, 3], 1, &all),
            (&[1, 1, 8, 3], 1, &all),
            (&[5, 8, 3], 5, &all),
            (&[3], 1, &same),
            (&[1, 3], 1, &same),
            (&[1, 1, 3], 1, &same),
            (&[5, 1, 3], 5, &same),
            // No generator has 5 or 100 layers.
            (&[5, 3], 5, &same),
            (&[100, 3], 100, &same),
        ] {
            let found = read(&[("w", shape)]).expect("understood");
            assert_eq!(found.latents.len(), count, "{shape:?}");
            assert_eq!(&found.latents[0].w_plus, first, "{shape:?}");
            assert_eq!(found.note_for("micah"), None);
            let note = found.note_for("funEmoji").expect("of another model");
            assert!(
                note.contains("model micah") && note.contains("with funEmoji"),
                "{note}"
            );
        }
    }

    #[test]
    fn names_of_other_tools_are_known_and_the_best_is_taken() {
        let latent: &[usize] = &[1, 8, 3];
        for (tensors, expected) in [
            (
                &[
                    ("w_plus", latent),
                    ("w_plus_last", latent),
                    ("synthesis.b4.noise", &[4, 4]),
                ][..],
                &["w_plus"][..],
            ),
            (
                &[
                    ("face.png.img", &[3, 4, 4]),
                    ("face.png.latent", &[8, 3]),
                    ("face.png.noise.0", &[1, 1, 4, 4]),
                ],
                &["face.png.latent"],
            ),
            (
                &[("a.png.latent", &[3]), ("b.png.latent", &[3])],
                &["a.png.latent", "b.png.latent"],
            ),
            (&[("something", latent), ("loss", &[7])], &["something"]),
            (&[("tensor", latent)], &["tensor"]),
        ] {
            let found = read(tensors).expect("understood");
            let names: Vec<&str> = found
                .latents
                .iter()
                .map(|latent| latent.name.as_str())
                .collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        for (tensors, part) in [
            (
                &[("w", &[1, 14, 3][..])][..],
                "14 layers are those of images of 256 x 256",
            ),
            (
                &[("w", &[18, 3])],
                "18 layers are those of images of 1024 x 1024",
            ),
            (
                &[("w", &[1, 8, 4])],
                "has the shape [1, 8, 4], expected [8, 3]",
            ),
            (&[("w", &[])], "has the shape []"),
            (&[("w", &[0, 8, 3])], "has no rows"),
            (&[("z", &[1, 3])], "latents z"),
            (&[("a", &[1, 3]), ("b", &[1, 3])], "a [1, 3], b [1, 3]"),
            (&[], "it holds nothing"),
        ] {
            let message = read(tensors).expect_err("must be refused");
            assert!(
                message.contains(part) && message.contains("some.npz"),
                "{message}"
            );
        }
        let mut values = vec![0.0; NUM_WS * W_DIM];
        values[7] = f32::NAN;
        let tensor = StoredTensor::from_f32(vec![NUM_WS, W_DIM], &values);
        let file = Checkpoint::from_tensors(
            "some.npz",
            BTreeMap::from([("w".to_owned(), tensor)]),
            BTreeMap::new(),
        );
        let error = LatentFile::of_checkpoint(&file, NUM_WS, W_DIM).expect_err("must be refused");
        assert!(error.to_string().contains("NaN at index 7"), "{error}");
    }

    #[test]
    fn an_offset_of_features_is_read_with_its_latent() {
        let latent: (&str, &[usize]) = ("w_plus", &[1, 8, 3]);
        let found = read(&[latent, ("feature_offset.b2", &[1, 5, 2, 2])]).expect("understood");
        let expected = FileOffset {
            resolution: 2,
            channels: 5,
            values: (0..20).map(|i| i as f32).collect(),
        };
        assert_eq!(found.offset, Some(expected));
        assert_eq!(read(&[latent]).expect("understood").offset, None);
        for (tensors, part) in [
            (
                &[latent, ("feature_offset.b4", &[1, 5, 2, 2])][..],
                "expected [1, channels, 4, 4]",
            ),
            (
                &[latent, ("feature_offset.bX", &[1, 5, 2, 2])],
                "expected feature_offset.bN",
            ),
            (
                &[latent, ("feature_offset.b2", &[5, 2, 2])],
                "expected feature_offset.bN",
            ),
            (
                &[("w_plus", &[2, 8, 3]), ("feature_offset.b2", &[1, 5, 2, 2])],
                "2 latents and an offset",
            ),
            (
                &[
                    latent,
                    ("feature_offset.b2", &[1, 5, 2, 2]),
                    ("feature_offset.b4", &[1, 5, 4, 4]),
                ],
                "several blocks",
            ),
        ] {
            let message = read(tensors).expect_err("must be refused");
            assert!(
                message.contains(part) && message.contains("some.npz"),
                "{message}"
            );
        }
    }

    #[test]
    fn files_of_latents_are_told_by_their_endings() {
        for name in ["a.npz", "b.NPY", "c.pt", "x.latents.safetensors"] {
            assert!(LatentFile::is_named_so(name), "{name}");
        }
        for name in ["a.png", "npz", "b.jpeg", "c"] {
            assert!(!LatentFile::is_named_so(name), "{name}");
        }
    }
}
