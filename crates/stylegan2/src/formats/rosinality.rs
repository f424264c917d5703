//! Checkpoints of rosinality's stylegan2-pytorch.
//!
//! The networks compute what the official ones do with the same weights: weights are equalized in the same way, the
//! mapping network's stored weights are divided by its learning-rate multiplier 0.01, and a convolution that upsamples
//! is transposed without flipping the kernel. Names, shapes and one factor differ: blur kernels that upsample are
//! stored with their gain of 4.

use std::collections::BTreeMap;

use checkpoint_file::{Checkpoint, CheckpointError, StoredTensor};

use super::OtherNames;
use super::place::enclosing;
use crate::config::{MAX_MAPPING_LAYERS, MIN_RESOLUTION};
use crate::resample_filter::MAX_TAPS;
use crate::{RandomState, StyleGan2Error};

/// A tensor of every generator and of no other network.
pub(crate) const GENERATOR_ANCHOR: &str = "input.input";
/// Likewise of every discriminator.
pub(crate) const DISCRIMINATOR_ANCHOR: &str = "final_linear.1.weight";

/// The running average of w, in the network or beside it, as code that uses these networks calls it.
const LATENT_AVERAGES: [&str; 3] = ["latent_avg", "mean_latent", "w_avg"];

/// What all constant noise images are called, but for their index.
const NOISES: &str = "noises.noise_";

/// From 4x4 to 1024x1024, the largest published networks.
const MOST_DOUBLINGS: usize = 8;

/// A filter that follows an upsampling by 2 along both axes makes up for the zeros between the samples.
const UPSAMPLING_GAIN: f32 = 4.0;

/// What a tensor is called officially, and how it is stored here.
#[derive(Debug)]
struct Place {
    official: String,
    form: Form,
}

/// How a stored tensor differs from the official one.
#[derive(Clone, Copy, Debug)]
enum Form {
    Same,
    /// Axes of extent 1 come before this many others.
    LeadingOnes(usize),
    /// `[1, channels, 1, 1]` for `[channels]`.
    ChannelVector,
    /// A blur kernel times [`UPSAMPLING_GAIN`].
    UpsamplingKernel,
    /// One vector, or one for every layer.
    MeanOfRows,
}

type Places = BTreeMap<String, Place>;

/// The generator under `prefix` under official names, with `mapping.w_avg` where the file has such an average.
///
/// Files from before the constant noise images became part of the network get seeded ones: any standard normal image
/// serves, as the network was trained with another one at every step.
///
/// # Errors
/// When the network has tensors that no such generator has, or is a class-conditional or a rectangular one.
pub(crate) fn generator(
    checkpoint: &Checkpoint,
    prefix: &str,
) -> Result<OtherNames, StyleGan2Error> {
    let network = checkpoint
        .subset(prefix)
        .rename(|name| (!LATENT_AVERAGES.contains(&name)).then(|| name.to_owned()));
    refuse_rectangular(&network, prefix)?;
    refuse_conditional(&network, prefix)?;
    let mut found = official(&network, prefix, &generator_places())?;
    if !network
        .tensors()
        .keys()
        .any(|name| name.starts_with(NOISES))
    {
        add_noise_images(&mut found.tensors);
    }
    let w_avg = "mapping.w_avg";
    let average = enclosing(prefix)
        .flat_map(|place| LATENT_AVERAGES.map(|name| format!("{place}{name}")))
        .find_map(|name| Some((checkpoint.tensors().get(&name)?, name)));
    match average {
        Some((tensor, name)) => {
            found
                .tensors
                .insert(w_avg.to_owned(), Form::MeanOfRows.official(tensor));
            found.sources.insert(w_avg.to_owned(), name);
        }
        None => {
            let usual = LATENT_AVERAGES[0].to_owned();
            found.sources.insert(w_avg.to_owned(), usual);
        }
    }
    Ok(found)
}

/// The constant of images that are not square is no square either.
fn refuse_rectangular(network: &Checkpoint, prefix: &str) -> Result<(), StyleGan2Error> {
    match network.tensors().get(GENERATOR_ANCHOR).map(|t| t.shape()) {
        Some(&[.., height, width]) if [height, width] != [MIN_RESOLUTION; 2] => {
            Err(StyleGan2Error::rectangular(
                network.path(),
                &format!("{prefix}{GENERATOR_ANCHOR}"),
                [height, width],
            ))
        }
        _ => Ok(()),
    }
}

/// In this layout z and w have one size. Where the mapping network takes more, it was fed an embedded label, which the
/// layout has no place for.
fn refuse_conditional(network: &Checkpoint, prefix: &str) -> Result<(), StyleGan2Error> {
    const FIRST_LAYER: &str = "style.1.weight";
    const STYLE: &str = "conv1.conv.modulation.weight";
    let inputs = |name: &str| match network.tensors().get(name)?.shape() {
        &[_, inputs] => Some(inputs),
        _ => None,
    };
    match (inputs(FIRST_LAYER), inputs(STYLE)) {
        (Some(z), Some(w)) if z != w => Err(StyleGan2Error::NotSupported {
            path: network.path().to_owned(),
            found: format!(
                "a generator in rosinality's names that lacks a part: {prefix}{FIRST_LAYER} takes {z} numbers where latents have {w}, but in this \
                 layout z and w have one size, so the label embedding of a class-conditional model is missing"
            ),
            remedy: "convert from the .pkl that the file was exported from".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The discriminator under `prefix` under official names.
///
/// # Errors
/// When the network has tensors that no such discriminator has.
pub(crate) fn discriminator(
    checkpoint: &Checkpoint,
    prefix: &str,
) -> Result<OtherNames, StyleGan2Error> {
    let network = checkpoint.subset(prefix);
    // convs.0 reads the image, convs.1 and so on halve the resolution down to 4.
    let blocks = (1..=MOST_DOUBLINGS)
        .take_while(|index| {
            let first = format!("convs.{index}.conv1.0.weight");
            network.tensors().contains_key(&first)
        })
        .count();
    official(&network, prefix, &discriminator_places(blocks))
}

/// Every tensor of `network` in its place. The file's metadata is left out: it describes the training, not the network.
fn official(
    network: &Checkpoint,
    prefix: &str,
    places: &Places,
) -> Result<OtherNames, StyleGan2Error> {
    let names = || network.tensors().keys().chain(network.opaque().keys());
    let mut extra = names().filter(|name| !places.contains_key(*name));
    if let Some(first) = extra.next() {
        return Err(StyleGan2Error::from(CheckpointError::ExtraTensors {
            path: network.path().to_owned(),
            count: 1 + extra.count(),
            first: format!("{prefix}{first}"),
        }));
    }
    if let Some((name, element_type)) = network.opaque().iter().next() {
        return Err(StyleGan2Error::from(CheckpointError::WrongDType {
            path: network.path().to_owned(),
            tensor: format!("{prefix}{name}"),
            found: element_type.clone(),
        }));
    }
    let tensors = network.tensors().iter().map(|(name, tensor)| {
        let place = &places[name];
        (place.official.clone(), place.form.official(tensor))
    });
    let sources = places
        .iter()
        .map(|(name, place)| (place.official.clone(), format!("{prefix}{name}")));
    Ok(OtherNames {
        tensors: tensors.collect(),
        sources: sources.collect(),
    })
}

/// Standard normal noise images, always the same, for the layers that have a strength for them.
fn add_noise_images(tensors: &mut BTreeMap<String, StoredTensor>) {
    let mut random = RandomState::new(0);
    for index in 0..=2 * MOST_DOUBLINGS {
        let (layer, side) = layer(index);
        let has = |tensor: &str| tensors.contains_key(&format!("{layer}.{tensor}"));
        if has("weight") && has("noise_strength") {
            let image = random.standard_normals(side * side);
            tensors.insert(
                format!("{layer}.noise_const"),
                StoredTensor::from_f32(vec![side, side], &image),
            );
        }
    }
}

fn generator_places() -> Places {
    let mut places = Places::new();
    let mut put = |name: String, official: String, form: Form| {
        places.insert(name, Place { official, form });
    };
    put(
        GENERATOR_ANCHOR.to_owned(),
        format!("synthesis.b{MIN_RESOLUTION}.const"),
        Form::LeadingOnes(3),
    );
    for index in 0..MAX_MAPPING_LAYERS {
        for part in ["weight", "bias"] {
            // style.0 normalizes z.
            let name = format!("style.{}.{part}", index + 1);
            put(name, format!("mapping.fc{index}.{part}"), Form::Same);
        }
    }
    for index in 0..=2 * MOST_DOUBLINGS {
        let name = match index {
            0 => "conv1".to_owned(),
            _ => format!("convs.{}", index - 1),
        };
        let (layer, _) = layer(index);
        for (part, official, form) in [
            ("conv.weight", "weight", Form::LeadingOnes(4)),
            ("conv.modulation.weight", "affine.weight", Form::Same),
            ("conv.modulation.bias", "affine.bias", Form::Same),
            ("noise.weight", "noise_strength", Form::LeadingOnes(0)),
            ("activate.bias", "bias", Form::Same),
        ] {
            put(
                format!("{name}.{part}"),
                format!("{layer}.{official}"),
                form,
            );
        }
        // Every other layer doubles the resolution.
        if index % 2 == 1 {
            put(
                format!("{name}.conv.blur.kernel"),
                format!("{layer}.resample_filter"),
                Form::UpsamplingKernel,
            );
        }
        put(
            format!("{NOISES}{index}"),
            format!("{layer}.noise_const"),
            Form::LeadingOnes(2),
        );
    }
    for doublings in 0..=MOST_DOUBLINGS {
        let name = match doublings {
            0 => "to_rgb1".to_owned(),
            _ => format!("to_rgbs.{}", doublings - 1),
        };
        let block = format!("synthesis.b{}", MIN_RESOLUTION << doublings);
        for (part, official, form) in [
            ("conv.weight", "torgb.weight", Form::LeadingOnes(4)),
            ("conv.modulation.weight", "torgb.affine.weight", Form::Same),
            ("conv.modulation.bias", "torgb.affine.bias", Form::Same),
            ("bias", "torgb.bias", Form::ChannelVector),
        ] {
            put(
                format!("{name}.{part}"),
                format!("{block}.{official}"),
                form,
            );
        }
        if doublings > 0 {
            put(
                format!("{name}.upsample.kernel"),
                format!("{block}.resample_filter"),
                Form::UpsamplingKernel,
            );
        }
    }
    places
}

/// Official name and resolution of a layer: 4x4 has only its second, then every resolution has two.
fn layer(index: usize) -> (String, usize) {
    let resolution = MIN_RESOLUTION << index.div_ceil(2);
    let layer = if index.is_multiple_of(2) {
        "conv1"
    } else {
        "conv0"
    };
    (format!("synthesis.b{resolution}.{layer}"), resolution)
}

fn discriminator_places(blocks: usize) -> Places {
    let mut places = Places::new();
    let mut put = |name: String, official: String| {
        let form = Form::Same;
        places.insert(name, Place { official, form });
    };
    let image = MIN_RESOLUTION << blocks;
    for (name, official) in [("0.weight", "weight"), ("1.bias", "bias")] {
        put(
            format!("convs.0.{name}"),
            format!("b{image}.fromrgb.{official}"),
        );
    }
    for index in 1..=blocks {
        let resolution = image >> (index - 1);
        for (name, official) in [
            ("conv1.0.weight", "conv0.weight"),
            ("conv1.1.bias", "conv0.bias"),
            // The blur before a strided convolution keeps the brightness, so that its kernel has no gain.
            ("conv2.0.kernel", "conv1.resample_filter"),
            ("conv2.1.weight", "conv1.weight"),
            ("conv2.2.bias", "conv1.bias"),
            ("skip.0.kernel", "skip.resample_filter"),
            ("skip.1.weight", "skip.weight"),
        ] {
            put(
                format!("convs.{index}.{name}"),
                format!("b{resolution}.{official}"),
            );
        }
    }
    for (name, official) in [
        ("final_conv.0.weight", "conv.weight"),
        ("final_conv.1.bias", "conv.bias"),
        ("final_linear.0.weight", "fc.weight"),
        ("final_linear.0.bias", "fc.bias"),
        (DISCRIMINATOR_ANCHOR, "out.weight"),
        ("final_linear.1.bias", "out.bias"),
    ] {
        put(name.to_owned(), format!("b{MIN_RESOLUTION}.{official}"));
    }
    places
}

impl Form {
    /// A stored tensor in the official form; one that is not made so stays as it is, for loading to refuse.
    fn official(self, tensor: &StoredTensor) -> StoredTensor {
        let shape = tensor.shape();
        match self {
            Self::LeadingOnes(rank) => {
                let leading = shape.len().saturating_sub(rank);
                if shape[..leading].iter().all(|extent| *extent == 1) {
                    return tensor.reshape(shape[leading..].to_vec());
                }
            }
            Self::ChannelVector => {
                if let [1, channels, 1, 1] = *shape {
                    return tensor.reshape(vec![channels]);
                }
            }
            Self::UpsamplingKernel => {
                let is_small = shape.iter().product::<usize>() <= MAX_TAPS * MAX_TAPS;
                if tensor.dtype().is_float() && is_small {
                    let taps = tensor.to_f32();
                    let taps: Vec<f32> = taps.iter().map(|tap| tap / UPSAMPLING_GAIN).collect();
                    return StoredTensor::from_f32(shape.to_vec(), &taps);
                }
            }
            Self::MeanOfRows => {
                if let Some(mean) = mean_of_rows(tensor) {
                    return mean;
                }
            }
            Self::Same => {}
        }
        tensor.clone()
    }
}

/// The mean of a tensor's vectors along its last axis; its only vector, or that of all layers, as it is.
fn mean_of_rows(tensor: &StoredTensor) -> Option<StoredTensor> {
    let width = *tensor.shape().last()?;
    if !tensor.dtype().is_float() || width == 0 {
        return None;
    }
    let values = tensor.to_f32();
    let rows = values.chunks_exact(width);
    let first = rows.clone().next()?;
    if rows.clone().all(|row| row == first) {
        return Some(StoredTensor::from_f32(vec![width], first));
    }
    let count = rows.len() as f64;
    let mut mean = vec![0.0; width];
    for row in rows {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += f64::from(*value) / count;
        }
    }
    let mean: Vec<f32> = mean.into_iter().map(|value| value as f32).collect();
    Some(StoredTensor::from_f32(vec![width], &mean))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn zeros(shape: &[usize]) -> StoredTensor {
        StoredTensor::from_f32(shape.to_vec(), &vec![0.0; shape.iter().product()])
    }

    #[test]
    fn layers_are_numbered_from_the_second_of_4x4() {
        let names: Vec<String> = (0..5).map(|index| layer(index).0).collect();
        assert_eq!(
            names,
            [
                "synthesis.b4.conv1",
                "synthesis.b8.conv0",
                "synthesis.b8.conv1",
                "synthesis.b16.conv0",
                "synthesis.b16.conv1"
            ]
        );
    }

    #[test]
    fn generator_tensors_get_official_names_and_shapes() {
        let places = generator_places();
        for (name, shape, official, official_shape) in [
            ("style.3.bias", &[6][..], "mapping.fc2.bias", &[6][..]),
            (
                "input.input",
                &[1, 5, 4, 4],
                "synthesis.b4.const",
                &[5, 4, 4],
            ),
            (
                "convs.2.conv.weight",
                &[1, 5, 6, 3, 3],
                "synthesis.b16.conv0.weight",
                &[5, 6, 3, 3],
            ),
            (
                "noises.noise_3",
                &[1, 1, 16, 16],
                "synthesis.b16.conv0.noise_const",
                &[16, 16],
            ),
            (
                "convs.1.noise.weight",
                &[1],
                "synthesis.b8.conv1.noise_strength",
                &[],
            ),
            (
                "to_rgbs.0.bias",
                &[1, 3, 1, 1],
                "synthesis.b8.torgb.bias",
                &[3],
            ),
        ] {
            let place = &places[name];
            assert_eq!(place.official, official);
            let tensor = place.form.official(&zeros(shape));
            assert_eq!(tensor.shape(), official_shape, "{name}");
        }
    }

    #[test]
    fn only_small_kernels_of_numbers_lose_their_gain() {
        let kernel = StoredTensor::from_f32(vec![2, 2], &[4.0, 8.0, 0.0, -4.0]);
        let form = Form::UpsamplingKernel;
        assert_eq!(form.official(&kernel).to_f32(), [1.0, 2.0, 0.0, -1.0]);
        let large = StoredTensor::from_f32(vec![5000], &[4.0; 5000]);
        assert!(form.official(&large) == large);
    }

    #[test]
    fn averages_of_every_published_shape_are_one_vector() {
        let form = Form::MeanOfRows;
        let row = [1.0, -2.0, 3.5];
        for shape in [
            vec![3],
            vec![1, 3],
            vec![4, 3],
            vec![1, 4, 3],
            vec![4, 1, 3],
        ] {
            let count: usize = shape.iter().product();
            let tensor = StoredTensor::from_f32(shape.clone(), &row.repeat(count / 3));
            let found = form.official(&tensor);
            assert_eq!(
                (found.shape(), found.to_f32()),
                (&[3][..], row.to_vec()),
                "{shape:?}"
            );
        }
        let layers = StoredTensor::from_f32(vec![2, 2], &[1.0, 2.0, 3.0, 6.0]);
        assert_eq!(form.official(&layers).to_f32(), [2.0, 4.0]);
        let empty = zeros(&[0, 3]);
        assert!(form.official(&empty) == empty);
    }

    #[test]
    fn no_two_tensors_have_one_official_name() {
        for places in [generator_places(), discriminator_places(MOST_DOUBLINGS)] {
            let official: BTreeSet<&String> = places.values().map(|p| &p.official).collect();
            assert_eq!(official.len(), places.len());
        }
    }

    #[test]
    fn names_from_elsewhere_have_no_place() {
        let places = [generator_places(), discriminator_places(3)];
        for name in [
            "style.0.weight",
            // Not as Python prints an index.
            "style.01.weight",
            "style.+1.weight",
            "convs.x.conv.weight",
            "convs.200.conv.weight",
            "noises.noise_",
            "convs.0.conv.other",
            "convs.4.conv1.0.weight",
            "synthesis.b4.const",
            "mapping.embed.weight",
            "",
        ] {
            assert!(places.iter().all(|p| !p.contains_key(name)), "{name}");
        }
    }

    #[test]
    fn discriminator_blocks_are_numbered_from_the_image() {
        let places = discriminator_places(3);
        for (name, official) in [
            ("convs.0.0.weight", "b32.fromrgb.weight"),
            ("convs.1.conv1.0.weight", "b32.conv0.weight"),
            ("convs.3.conv2.1.weight", "b8.conv1.weight"),
            ("convs.2.skip.0.kernel", "b16.skip.resample_filter"),
            ("final_linear.0.bias", "b4.fc.bias"),
        ] {
            assert_eq!(places[name].official, official);
        }
    }
}
