"""Writes the first iterations of a small training run, computed in f64, for the golden test of `vision-aided-finetune`.

`python training_fixture.py FILE.safetensors`: weights at the start under `G.` and `D.`, images, and per iteration the losses,
penalties and lengths; weights of some layers at the end under `end/`. The metadata holds the configurations. With `--relativistic`
the losses are relativistic, and R2 is on.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

import tensor_file
from discriminator import Discriminator
from stylegan2 import FIR_TAPS, MAPPING_LR_MULTIPLIER, Formulation, Generator
from training import Config, Losses, Training

SIDE = 16
GENERATOR = {
    "z_dim": 8,
    "c_dim": 0,
    "w_dim": 12,
    "img_resolution": SIDE,
    "img_channels": 3,
    "mapping_kwargs": {"num_layers": 2},
    "synthesis_kwargs": {"channel_base": 128, "channel_max": 16},
}
DISCRIMINATOR = {"c_dim": 0, "img_resolution": SIDE, "img_channels": 3, "channel_base": 128, "channel_max": 16}
# With this ramp-up the average keeps 0.9 of itself in the last iteration, so that it is far from the generator.
CONFIG = Config(
    seed=2**33 + 7, batch_size=4, r1_gamma=0.5, r1_interval=3, path_length_interval=2, average_kimg=1.25, average_rampup=1.0
)
IMAGES = 10
ITERATIONS = 8
FORMULATION = Formulation("shared", "shifted")
SEED = 20


def initialize(module: nn.Module, random: np.random.RandomState) -> None:
    """Weights as the official initialization draws them, and small biases, rounded to f32."""
    for name, tensor in module.state_dict().items():
        if name.endswith("resample_filter"):
            values = np.outer(FIR_TAPS, FIR_TAPS)
        elif name.endswith(("noise_strength", "w_avg")):
            values = np.zeros(tensor.shape)
        else:
            std = 1 / MAPPING_LR_MULTIPLIER if name.startswith("mapping.fc") and name.endswith("weight") else 1.0
            values = random.randn(*tensor.shape) * (0.1 if name.endswith("bias") else std)
            if name.endswith("affine.bias"):
                values += 1
        tensor.copy_(torch.from_numpy(values.astype(np.float32)))


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--relativistic", action="store_true")
    arguments = parser.parse_args()
    config = replace(CONFIG, relativistic=True, r2_gamma=0.25) if arguments.relativistic else CONFIG
    torch.set_default_dtype(torch.float64)
    random = np.random.RandomState(SEED)
    generator, discriminator = Generator(**GENERATOR), Discriminator(**DISCRIMINATOR)
    initialize(generator, random)
    initialize(discriminator, random)
    images = random.randint(256, size=(IMAGES, 3, SIDE, SIDE))
    tensors = {"images": images}
    for prefix, module in (("G.", generator), ("D.", discriminator)):
        tensors |= {prefix + name: tensor.numpy().copy() for name, tensor in module.state_dict().items()}

    training = Training(generator, discriminator, torch.from_numpy(images), config, FORMULATION)
    losses = [training.step() for _ in range(ITERATIONS)]
    for field in Losses.__dataclass_fields__:
        # NaN where an iteration does not measure it.
        tensors[field] = np.array([math.nan if (value := getattr(loss, field)) is None else value for loss in losses])
    for prefix, module in (("G.", training.generator), ("G_ema.", training.average), ("D.", training.discriminator)):
        for name, tensor in module.state_dict().items():
            if name.endswith(("b16.conv1.weight", "b16.conv0.bias", "fc1.weight", "w_avg", "b4.const", "b4.fc.weight")):
                tensors[f"end/{prefix}{name}"] = tensor.numpy()
    metadata = {"G.config": json.dumps(GENERATOR), "D.config": json.dumps(DISCRIMINATOR), "config": json.dumps(asdict(config))}
    tensor_file.write(arguments.file, tensors, metadata)
    for loss in losses:
        print(loss)


if __name__ == "__main__":
    main()
