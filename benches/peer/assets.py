"""Weights and targets that both sides read: seeded, so that nothing is downloaded and both compute the same numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import perceptual
import tensor_file
from cases import Model, Net
from discriminator import Discriminator
from seeded import seeded
from stylegan2 import FIR_TAPS, MAPPING_LR_MULTIPLIER, Generator

# The official defaults.
W_DIM = 512
MAPPING_LAYERS = 8
# Strong enough that leaving the noise out would change the loss.
NOISE_STRENGTH = 0.1
# Seeded targets are smooth: random colors on a grid of this side, interpolated.
TARGET_GRID = 8
TARGET_CONTRAST = 0.5
# Of the zoo's discriminators.
DISCRIMINATOR_CHANNEL_MAX = 64
# More than a period of training shows, so that batches differ.
TRAINING_IMAGES = 512
# Standard deviation of seeded biases.
BIAS_STD = 0.1
# Convolutions of torchvision's `features`: index, input channels, output channels, kernel size.
BACKBONES: dict[Net, list[tuple[int, int, int, int]]] = {
    "alex": [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)],
    "vgg": [
        (0, 3, 64, 3),
        (2, 64, 64, 3),
        (5, 64, 128, 3),
        (7, 128, 128, 3),
        (10, 128, 256, 3),
        (12, 256, 256, 3),
        (14, 256, 256, 3),
        (17, 256, 512, 3),
        (19, 512, 512, 3),
        (21, 512, 512, 3),
        (24, 512, 512, 3),
        (26, 512, 512, 3),
        (28, 512, 512, 3),
    ],
}


def _generator_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values as the official initialization would draw them, with noise switched on."""
    if name.endswith("resample_filter"):
        return np.outer(FIR_TAPS, FIR_TAPS).astype(np.float32)
    if name.endswith("noise_strength"):
        return np.full(shape, NOISE_STRENGTH, dtype=np.float32)
    if name.endswith("affine.bias"):
        return np.ones(shape, dtype=np.float32)
    if name.endswith("bias"):
        return np.zeros(shape, dtype=np.float32)
    std = 1 / MAPPING_LR_MULTIPLIER if name.startswith("mapping.fc") else 1.0
    return seeded(f"bench/{name}", shape, std)


def seeded_generator(model: Model, path: Path) -> None:
    """Write a generator with seeded weights under the official names, unless it is there."""
    if path.exists():
        return
    config = {
        "z_dim": W_DIM,
        "c_dim": 0,
        "w_dim": W_DIM,
        "img_resolution": model.resolution,
        "img_channels": 3,
        "mapping_kwargs": {"num_layers": MAPPING_LAYERS},
        "synthesis_kwargs": {"channel_base": model.channel_base, "channel_max": W_DIM},
    }
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Generator(**config).state_dict().items()}
    values = {name: _generator_values(name, shape) for name, shape in shapes.items()}
    tensor_file.write(path, values, {"config": json.dumps(config)})


def seeded_discriminator(model: Model, path: Path) -> None:
    """Write a discriminator with seeded weights under the official names, unless it is there."""
    if path.exists():
        return
    config = {
        "c_dim": 0,
        "img_resolution": model.resolution,
        "img_channels": 3,
        "channel_base": model.channel_base,
        "channel_max": DISCRIMINATOR_CHANNEL_MAX,
    }
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Discriminator(**config).state_dict().items()}
    values = {name: _discriminator_values(name, shape) for name, shape in shapes.items()}
    tensor_file.write(path, values, {"config": json.dumps(config)})


def _discriminator_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values as the official initialization would draw them."""
    if name.endswith("resample_filter"):
        return np.outer(FIR_TAPS, FIR_TAPS).astype(np.float32)
    if name.endswith("bias"):
        return np.zeros(shape, dtype=np.float32)
    return seeded(f"bench/D/{name}", shape, 1.0)


def seeded_training_images(resolution: int, path: Path) -> None:
    """Write `images` `[count, 3, resolution, resolution]`, whole numbers from 0 to 255."""
    grid = torch.from_numpy(seeded("bench/images", (TRAINING_IMAGES, 3, TARGET_GRID, TARGET_GRID), TARGET_CONTRAST))
    images = F.interpolate(grid, size=(resolution, resolution), mode="bilinear").clamp(-1, 1)
    tensor_file.write(path, {"images": (images * 127.5 + 127.5).round().numpy()})


def seeded_targets(resolution: int, batch: int, path: Path) -> None:
    """Write `targets` `[batch, 3, resolution, resolution]` in [-1, 1]."""
    grid = torch.from_numpy(seeded("bench/targets", (batch, 3, TARGET_GRID, TARGET_GRID), TARGET_CONTRAST))
    images = F.interpolate(grid, size=(resolution, resolution), mode="bilinear").clamp(-1, 1)
    tensor_file.write(path, {"targets": images.numpy()})


def seeded_backbone(net: Net) -> dict[str, torch.Tensor]:
    """Seeded weights of a network under torchvision's names, by the rules of the reference files."""
    tensors = {}
    for layer, channels_in, channels_out, size in BACKBONES[net]:
        shape = (channels_out, channels_in, size, size)
        weight, bias = f"features.{layer}.weight", f"features.{layer}.bias"
        tensors[weight] = torch.from_numpy(seeded(f"{net}/{weight}", shape, math.sqrt(2 / math.prod(shape[1:]))))
        tensors[bias] = torch.from_numpy(seeded(f"{net}/{bias}", (channels_out,), BIAS_STD))
    return tensors


def seeded_lpips(net: Net, folder: Path) -> None:
    """Write a seeded network and the heads of the `lpips` package in the layout of the `lpips` crate."""
    backbone = seeded_backbone(net)
    tensor_file.write(folder / perceptual.BACKBONE_FILES[net], {name: t.numpy() for name, t in backbone.items()})
    heads = perceptual.build(net, backbone).lins.state_dict()
    # `0.model.1.weight` of the list is `lin0.model.1.weight` in the files.
    tensor_file.write(folder / f"lpips_v0.1_{net}.safetensors", {f"lin{name}": t.numpy() for name, t in heads.items()})
