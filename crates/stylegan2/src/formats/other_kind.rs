//! Networks that are often taken for StyleGAN2, told by the names of their tensors.

use checkpoint_file::Checkpoint;

/// What a file holds instead, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OtherKind {
    pub(crate) found: &'static str,
    pub(crate) remedy: &'static str,
}

/// How names of tensors show a kind: all of these must occur in one or another.
struct Signs {
    parts: &'static [&'static str],
    kind: OtherKind,
}

const USE_STYLEGAN2: &str = "only StyleGAN2 is supported: use a model of stylegan2-ada-pytorch, or of stylegan3 with --cfg=stylegan2";
const USE_THE_PICKLE: &str = "convert from the official .pkl instead, or rename its tensors to the official names or to rosinality's";

/// In the order in which they are looked for: what holds another kind as a part comes first.
const KINDS: [Signs; 16] = [
    Signs {
        parts: &["backbone.synthesis.b4.const", "superresolution."],
        kind: OtherKind {
            found: "an EG3D generator, which renders a volume from StyleGAN2's features",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["synthesis.input.freqs"],
        kind: OtherKind {
            found: "a StyleGAN3 network (or one made of it, such as StyleGAN-XL)",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["synthesis.L0_"],
        kind: OtherKind {
            found: "a StyleGAN3 network (or one made of it, such as StyleGAN-XL)",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["iwt.ll", "convs."],
        kind: OtherKind {
            found: "a SWAGAN, a StyleGAN2 in wavelets",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["progression.0."],
        kind: OtherKind {
            found: "a StyleGAN1 network in the names of style-based-gan-pytorch",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["g_synthesis.", "g_mapping."],
        kind: OtherKind {
            found: "a StyleGAN1 network",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["synthesis.layer0.epilogue."],
        kind: OtherKind {
            found: "a StyleGAN1 network in GenForce's names",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["synthesis.early_layer.const"],
        kind: OtherKind {
            found: "a StyleGAN2 network in GenForce's names, which are not read",
            remedy: USE_THE_PICKLE,
        },
    },
    Signs {
        parts: &["init.init.0.weight", "feat_8."],
        kind: OtherKind {
            found: "a FastGAN generator (lightweight GAN), which has no latent space W",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["G.initial_block"],
        kind: OtherKind {
            found: "a network of lucidrains' stylegan2-pytorch, which differs from StyleGAN2",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["style_mapping.", "constant_input."],
        kind: OtherKind {
            found: "a StyleGAN2 network in the names of MMGeneration, which are not read",
            remedy: USE_THE_PICKLE,
        },
    },
    Signs {
        parts: &["style_mlp.", "constant_input."],
        kind: OtherKind {
            found: "a StyleGAN2 network in BasicSR's names, which are not read",
            remedy: USE_THE_PICKLE,
        },
    },
    Signs {
        parts: &["model.diffusion_model."],
        kind: OtherKind {
            found: "a diffusion model",
            remedy: USE_STYLEGAN2,
        },
    },
    Signs {
        parts: &["encoder.input_layer."],
        kind: OtherKind {
            found: "an encoder such as pSp's or e4e's, without its decoder",
            remedy: "use the file that holds the generator (`decoder.` in the encoder's own checkpoints)",
        },
    },
    Signs {
        parts: &["classifier.6.weight", "features.0.weight"],
        kind: OtherKind {
            found: "a network for features of images, such as AlexNet or VGG",
            remedy: "use the file of a generator",
        },
    },
    Signs {
        parts: &["w_plus"],
        kind: OtherKind {
            found: "latents, not a network",
            remedy: "give it where latents are taken, and the generator's file as the model",
        },
    },
];

/// The kind of network in a file that holds no StyleGAN2 of its own, where it is known.
pub(crate) fn recognize(checkpoint: &Checkpoint) -> Option<OtherKind> {
    let occurs = |part: &&str| {
        let mut names = checkpoint
            .tensors()
            .keys()
            .chain(checkpoint.opaque().keys());
        names.any(|name| contains_name(name, part))
    };
    KINDS
        .iter()
        .find(|signs| signs.parts.iter().all(&occurs))
        .map(|signs| signs.kind)
}

/// Whether a part occurs in a name, from the beginning of one of its segments.
fn contains_name(name: &str, part: &str) -> bool {
    name.match_indices(part)
        .any(|(at, _)| at == 0 || name.as_bytes()[at - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use checkpoint_file::StoredTensor;

    use super::*;

    fn kind(names: &[&str]) -> Option<&'static str> {
        let tensor = StoredTensor::from_f32(vec![1], &[0.0]);
        let tensors = names
            .iter()
            .map(|name| ((*name).to_owned(), tensor.clone()))
            .collect();
        let file = Checkpoint::from_tensors("file", tensors, BTreeMap::new());
        recognize(&file).map(|kind| kind.found)
    }

    #[test]
    fn kinds_are_told_by_names_that_published_files_have() {
        for (names, part) in [
            (&["G_ema.synthesis.input.freqs"][..], "StyleGAN3"),
            (&["G.synthesis.L0_36_1024.weight"], "StyleGAN3"),
            (
                &["g_synthesis.blocks.4x4.const", "g_mapping.dense0.weight"],
                "StyleGAN1",
            ),
            (&["generator.progression.0.noise1.weight_orig"], "StyleGAN1"),
            (&["g_running.progression.0.conv.0.weight"], "StyleGAN1"),
            (
                &["g.init.init.0.weight_orig", "g.feat_8.1.weight_orig"],
                "FastGAN",
            ),
            (
                &[
                    "G_ema.synthesis.init.init.0.weight_orig",
                    "G_ema.synthesis.feat_8.1.weight_orig",
                ],
                "FastGAN",
            ),
            (
                &["module.init.init.0.weight_orig", "module.feat_8.1.weight"],
                "FastGAN",
            ),
            (&["GAN.G.initial_block"], "lucidrains"),
            (
                &[
                    "backbone.synthesis.b4.const",
                    "superresolution.block0.conv0.weight",
                ],
                "EG3D",
            ),
            (&["w_plus"], "latents"),
        ] {
            let found = kind(names).unwrap_or_default();
            assert!(found.contains(part), "{names:?}: {found}");
        }
        assert_eq!(
            kind(&["g_ema.convs.0.conv.weight", "my_w_plus", "feat_8.x"]),
            None
        );
    }
}
