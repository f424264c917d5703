"""LPIPS v0.1: the `lpips` package as it is, and the same distance with the target's features computed once."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Protocol

import lpips
import torch
from torch import Tensor

import tensor_file

# Added by `lpips` to the length of a feature vector.
EPSILON = 1e-10

BACKBONE_FILES = {"alex": "alexnet.safetensors", "vgg": "vgg16.safetensors"}


class Distance(Protocol):
    """Distance of images to the fixed targets."""

    def __call__(self, images: Tensor) -> Tensor:
        """`[batch, 3, h, w]` in [-1, 1] to one distance per image."""
        ...


def build(net: str, backbone: dict[str, Tensor], heads: dict[str, Tensor] | None = None) -> lpips.LPIPS:
    """Build the package's LPIPS without downloads.

    `backbone` has torchvision's names (`features.0.weight`); `heads` the package's (`lin0.model.1.weight`), its own when absent.
    """
    with warnings.catch_warnings():
        # lpips 0.1.4 passes torchvision's deprecated `pretrained=False`.
        warnings.simplefilter("ignore", UserWarning)
        model = lpips.LPIPS(net=net, pretrained=True, pnet_rand=True, verbose=False)
    trunk = model.net.state_dict()
    # `slice2.3.weight` of the package is `features.3.weight` of torchvision.
    model.net.load_state_dict({name: backbone[f"features.{name.split('.', 1)[1]}"] for name in trunk})
    for name, weight in (heads or {}).items():
        layer, parameter = name.split(".", 1)
        model.get_submodule(layer).load_state_dict({parameter: weight})
    return model


def load(net: str, folder: Path) -> lpips.LPIPS:
    """Load the weights that the `lpips` crate loads."""
    backbone = tensor_file.read(folder / BACKBONE_FILES[net]).tensors
    heads = tensor_file.read(folder / f"lpips_v0.1_{net}.safetensors").tensors
    return build(net, backbone, heads)


class PackageDistance:
    """The `lpips` package: both images go through the network at every call."""

    def __init__(self, model: lpips.LPIPS, targets: Tensor) -> None:
        self.model, self.targets = model, targets

    def __call__(self, images: Tensor) -> Tensor:
        """`[batch, 3, h, w]` in [-1, 1] to one distance per image."""
        return self.model(images, self.targets).flatten()


class PreparedDistance:
    """The same distance with frozen weights, and the targets' normalized features computed once.

    The 1x1 head is applied after the spatial mean, which it commutes with.
    """

    def __init__(self, model: lpips.LPIPS, targets: Tensor) -> None:
        self.model = model.requires_grad_(False)
        self.heads = [lin.model[1].weight.flatten() for lin in model.lins]
        with torch.no_grad():
            self.targets = self._features(targets)

    def _features(self, images: Tensor) -> list[Tensor]:
        features = self.model.net(self.model.scaling_layer(images))
        return [f / (f.square().sum(1, keepdim=True).sqrt() + EPSILON) for f in features]

    def __call__(self, images: Tensor) -> Tensor:
        """`[batch, 3, h, w]` in [-1, 1] to one distance per image."""
        pairs = zip(self._features(images), self.targets, self.heads, strict=True)
        terms = [(f - t).square().mean([2, 3]) @ head for f, t, head in pairs]
        return torch.stack(terms).sum(0)
