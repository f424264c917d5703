//! Checkpoints of rosinality's stylegan2-pytorch.
//!
//! The networks compute what the official ones do with the same weights: weights are equalised in the same way, the mapping network's
//! stored weights are divided by its learning-rate multiplier 0.01, and a convolution that upsamples is transposed without flipping the
//! kernel. Names, shapes and one factor differ: blur kernels that upsample are stored with their gain of 4.

use std::collections::BTreeMap;

use checkpoint::{Checkpoint, StoredTensor};

use crate::config::MIN_RESOLUTION;

/// Where a file may hold the generator; the running average of the weights makes the better images.
const GENERATOR_PREFIXES: [&str; 3] = ["g_ema.", "", "g."];
const DISCRIMINATOR_PREFIXES: [&str; 2] = ["d.", ""];

/// A tensor of every generator and of no other network.
const GENERATOR_ANCHOR: &str = "input.input";
/// Likewise of every discriminator.
const DISCRIMINATOR_ANCHOR: &str = "final_linear.1.weight";

/// The running average of w, beside the networks.
const LATENT_AVERAGE: &str = "latent_avg";

/// From 4x4 to 1024x1024, the largest published networks.
const MOST_DOUBLINGS: usize = 8;

/// A filter that follows an upsampling by 2 along both axes makes up for the zeros between the samples.
const UPSAMPLING_GAIN: f32 = 4.0;

/// The generator of a checkpoint under official names, with `mapping.w_avg` where the file has `latent_avg`; `None` when it has no such generator.
///
/// Tensors without an official counterpart keep their names, so that strict loading reports them.
pub(crate) fn generator(checkpoint: &Checkpoint) -> Option<Checkpoint> {
    let network = with_anchor(checkpoint, &GENERATOR_PREFIXES, GENERATOR_ANCHOR)?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in network.tensors() {
        if name == LATENT_AVERAGE {
            continue;
        }
        let (name, tensor) =
            generator_tensor(name, tensor).unwrap_or_else(|| (name.clone(), tensor.clone()));
        tensors.insert(name, tensor);
    }
    if let Some(average) = checkpoint.tensors().get(LATENT_AVERAGE) {
        // [style_dim], or [1, style_dim] from scripts that keep the batch.
        tensors.insert("mapping.w_avg".to_owned(), without_leading_ones(average, 1));
    }
    Some(official(checkpoint, tensors))
}

/// The discriminator of a checkpoint under official names; `None` when it has none.
pub(crate) fn discriminator(checkpoint: &Checkpoint) -> Option<Checkpoint> {
    let network = with_anchor(checkpoint, &DISCRIMINATOR_PREFIXES, DISCRIMINATOR_ANCHOR)?;
    // convs.0 reads the image, convs.1 and so on halve the resolution down to 4.
    let blocks = (1..)
        .take_while(|index| {
            network
                .tensors()
                .contains_key(&format!("convs.{index}.conv1.0.weight"))
        })
        .count();
    let tensors = network
        .tensors()
        .iter()
        .map(|(name, tensor)| {
            let official = discriminator_name(name, blocks).unwrap_or_else(|| name.clone());
            (official, tensor.clone())
        })
        .collect();
    Some(official(checkpoint, tensors))
}

fn with_anchor(checkpoint: &Checkpoint, prefixes: &[&str], anchor: &str) -> Option<Checkpoint> {
    let prefix = prefixes.iter().find(|prefix| {
        checkpoint
            .tensors()
            .contains_key(&format!("{prefix}{anchor}"))
    })?;
    Some(checkpoint.subset(prefix))
}

/// The file's metadata is left out: it describes the training, not the network.
fn official(checkpoint: &Checkpoint, tensors: BTreeMap<String, StoredTensor>) -> Checkpoint {
    Checkpoint::from_tensors(checkpoint.path(), tensors, BTreeMap::new())
}

fn generator_tensor(name: &str, tensor: &StoredTensor) -> Option<(String, StoredTensor)> {
    if name == GENERATOR_ANCHOR {
        return Some((
            "synthesis.b4.const".to_owned(),
            without_leading_ones(tensor, 3),
        ));
    }
    let (module, rest) = name.split_once('.')?;
    match module {
        // style.0 normalises z.
        "style" => {
            let (index, rest) = indexed(rest)?;
            let layer = index.checked_sub(1)?;
            Some((format!("mapping.fc{layer}.{rest}"), tensor.clone()))
        }
        "noises" => {
            let index: usize = rest.strip_prefix("noise_")?.parse().ok()?;
            // noise_0 is that of conv1, then there are two for each resolution.
            let layer = layer_name(index)?;
            Some((
                format!("{layer}.noise_const"),
                without_leading_ones(tensor, 2),
            ))
        }
        "conv1" => layer_tensor(&layer_name(0)?, rest, tensor),
        "convs" => {
            let (index, rest) = indexed(rest)?;
            layer_tensor(&layer_name(index + 1)?, rest, tensor)
        }
        "to_rgb1" => colour_tensor(MIN_RESOLUTION, rest, tensor),
        "to_rgbs" => {
            let (index, rest) = indexed(rest)?;
            colour_tensor(resolution(index + 1)?, rest, tensor)
        }
        _ => None,
    }
}

/// `0.weight` into its index and the rest.
fn indexed(name: &str) -> Option<(usize, &str)> {
    let (index, rest) = name.split_once('.')?;
    Some((index.parse().ok()?, rest))
}

/// 4, 8, 16, ..., 1024.
fn resolution(doublings: usize) -> Option<usize> {
    (doublings <= MOST_DOUBLINGS).then(|| MIN_RESOLUTION << doublings)
}

/// The layers in order: 4x4 has only its second.
fn layer_name(index: usize) -> Option<String> {
    let resolution = resolution(index.div_ceil(2))?;
    let layer = if index.is_multiple_of(2) {
        "conv1"
    } else {
        "conv0"
    };
    Some(format!("synthesis.b{resolution}.{layer}"))
}

fn layer_tensor(layer: &str, rest: &str, tensor: &StoredTensor) -> Option<(String, StoredTensor)> {
    let (official, tensor) = match rest {
        "conv.weight" => ("weight", without_leading_ones(tensor, 4)),
        "conv.modulation.weight" => ("affine.weight", tensor.clone()),
        "conv.modulation.bias" => ("affine.bias", tensor.clone()),
        "conv.blur.kernel" => ("resample_filter", without_upsampling_gain(tensor)),
        "noise.weight" => ("noise_strength", without_leading_ones(tensor, 0)),
        "activate.bias" => ("bias", tensor.clone()),
        _ => return None,
    };
    Some((format!("{layer}.{official}"), tensor))
}

fn colour_tensor(
    resolution: usize,
    rest: &str,
    tensor: &StoredTensor,
) -> Option<(String, StoredTensor)> {
    let (official, tensor) = match rest {
        "conv.weight" => ("torgb.weight", without_leading_ones(tensor, 4)),
        "conv.modulation.weight" => ("torgb.affine.weight", tensor.clone()),
        "conv.modulation.bias" => ("torgb.affine.bias", tensor.clone()),
        "bias" => ("torgb.bias", plain_vector(tensor)),
        "upsample.kernel" => ("resample_filter", without_upsampling_gain(tensor)),
        _ => return None,
    };
    Some((format!("synthesis.b{resolution}.{official}"), tensor))
}

/// Drops axes of extent 1 from the front until `rank` axes are left; a tensor that is not made so stays as it is.
fn without_leading_ones(tensor: &StoredTensor, rank: usize) -> StoredTensor {
    let shape = tensor.shape();
    let leading = shape.len().saturating_sub(rank);
    if shape[..leading].iter().all(|extent| *extent == 1) {
        tensor.reshape(shape[leading..].to_vec())
    } else {
        tensor.clone()
    }
}

/// `[1, channels, 1, 1]` as `[channels]`.
fn plain_vector(tensor: &StoredTensor) -> StoredTensor {
    match *tensor.shape() {
        [1, channels, 1, 1] => tensor.reshape(vec![channels]),
        _ => tensor.clone(),
    }
}

fn without_upsampling_gain(kernel: &StoredTensor) -> StoredTensor {
    let taps: Vec<f32> = kernel
        .to_f32()
        .iter()
        .map(|tap| tap / UPSAMPLING_GAIN)
        .collect();
    StoredTensor::from_f32(kernel.shape().to_vec(), &taps)
}

fn discriminator_name(name: &str, blocks: usize) -> Option<String> {
    let last = match name {
        "final_conv.0.weight" => "b4.conv.weight",
        "final_conv.1.bias" => "b4.conv.bias",
        "final_linear.0.weight" => "b4.fc.weight",
        "final_linear.0.bias" => "b4.fc.bias",
        "final_linear.1.weight" => "b4.out.weight",
        "final_linear.1.bias" => "b4.out.bias",
        _ => "",
    };
    if !last.is_empty() {
        return Some(last.to_owned());
    }
    let (index, rest) = indexed(name.strip_prefix("convs.")?)?;
    let (halvings, official) = match (index, rest) {
        (0, "0.weight") => (0, "fromrgb.weight"),
        (0, "1.bias") => (0, "fromrgb.bias"),
        (0, _) => return None,
        (_, "conv1.0.weight") => (index - 1, "conv0.weight"),
        (_, "conv1.1.bias") => (index - 1, "conv0.bias"),
        // The blur before a strided convolution keeps the brightness, so that its kernel has no gain.
        (_, "conv2.0.kernel") => (index - 1, "conv1.resample_filter"),
        (_, "conv2.1.weight") => (index - 1, "conv1.weight"),
        (_, "conv2.2.bias") => (index - 1, "conv1.bias"),
        (_, "skip.0.kernel") => (index - 1, "skip.resample_filter"),
        (_, "skip.1.weight") => (index - 1, "skip.weight"),
        _ => return None,
    };
    let resolution = resolution(blocks.checked_sub(halvings)?)?;
    Some(format!("b{resolution}.{official}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros(shape: &[usize]) -> StoredTensor {
        StoredTensor::from_f32(shape.to_vec(), &vec![0.0; shape.iter().product()])
    }

    #[test]
    fn layers_are_numbered_from_the_second_of_4x4() {
        let names: Vec<String> = (0..5).filter_map(layer_name).collect();
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
            let (found, tensor) = generator_tensor(name, &zeros(shape)).expect(name);
            assert_eq!(found, official);
            assert_eq!(tensor.shape(), official_shape, "{name}");
        }
    }

    #[test]
    fn names_from_elsewhere_are_not_taken() {
        for name in [
            "style.0.weight",
            "convs.x.conv.weight",
            "convs.99999999999999999999.conv.weight",
            "convs.200.conv.weight",
            "noises.noise_",
            "convs.0.conv.other",
            "",
        ] {
            assert!(generator_tensor(name, &zeros(&[1])).is_none(), "{name}");
            assert!(discriminator_name(name, 3).is_none(), "{name}");
        }
    }

    #[test]
    fn discriminator_blocks_are_numbered_from_the_image() {
        for (name, official) in [
            ("convs.0.0.weight", "b32.fromrgb.weight"),
            ("convs.1.conv1.0.weight", "b32.conv0.weight"),
            ("convs.3.conv2.1.weight", "b8.conv1.weight"),
            ("convs.2.skip.0.kernel", "b16.skip.resample_filter"),
            ("final_linear.0.bias", "b4.fc.bias"),
        ] {
            assert_eq!(discriminator_name(name, 3).as_deref(), Some(official));
        }
    }
}
