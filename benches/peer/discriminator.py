"""StyleGAN2 discriminator (unconditional, architecture `resnet`) in ordinary PyTorch operations, with the official parameter names.

After Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020). `Formulation` chooses how filters are computed.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fir
import tensor_file
from stylegan2 import EPSILON, FIR_TAPS, LRELU_GAIN, Formulation, FullyConnected, bias_act


def blur(x: Tensor, taps: Tensor, padding: int, formulation: Formulation) -> Tensor:
    """Smooth before every other pixel is dropped."""
    if formulation.filter == "conv":
        return fir.upfirdn_conv(x, taps, up=1, padding=(padding, padding), gain=1)
    return fir.filter_shifted(x, FIR_TAPS, padding=(padding, padding))


class ConvLayer(nn.Module):
    """Convolution with equalized learning rate, halved resolution when `down` is 2, bias and leaky ReLU."""

    resample_filter: Tensor

    def __init__(self, channels_in: int, channels_out: int, size: int, *, down: int = 1, activated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, size, size))
        if activated:
            self.bias = nn.Parameter(torch.empty(channels_out))
        self.register_buffer("resample_filter", torch.empty(4, 4))
        self.activated = activated
        self.down = down
        self.weight_gain = 1 / math.sqrt(channels_in * size**2)

    def forward(self, x: Tensor, formulation: Formulation, gain: float = 1) -> Tensor:
        """`[batch, in, h, w]` to `[batch, out, h / down, w / down]`."""
        weight = self.weight * self.weight_gain
        size = weight.shape[2]
        if self.down == 1:
            x = F.conv2d(x, weight, padding=size // 2)
        elif size == 1:
            x = F.conv2d(blur(x, self.resample_filter, 1, formulation)[:, :, ::2, ::2], weight)
        else:
            x = F.conv2d(blur(x, self.resample_filter, 2, formulation), weight, stride=2)
        if not self.activated:
            return x * gain
        return bias_act(x, self.bias, lrelu=True, gain=LRELU_GAIN * gain, clamp=None)


class Block(nn.Module):
    """All layers of one resolution."""

    resample_filter: Tensor

    def __init__(self, image_channels: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.register_buffer("resample_filter", torch.empty(4, 4))
        if image_channels > 0:
            self.fromrgb = ConvLayer(image_channels, channels_in, 1)
        self.reads_image = image_channels > 0
        self.conv0 = ConvLayer(channels_in, channels_in, 3)
        self.conv1 = ConvLayer(channels_in, channels_out, 3, down=2)
        self.skip = ConvLayer(channels_in, channels_out, 1, down=2, activated=False)

    def forward(self, x: Tensor, formulation: Formulation) -> Tensor:
        """Features, or the image in the first block, to features of half the side."""
        if self.reads_image:
            x = self.fromrgb(x, formulation)
        # Both branches are scaled, so that their sum keeps unit variance.
        gain = math.sqrt(0.5)
        shortcut = self.skip(x, formulation, gain)
        return shortcut + self.conv1(self.conv0(x, formulation), formulation, gain)


class Epilogue(nn.Module):
    """Minibatch standard deviation and the last layers, at 4x4."""

    def __init__(self, channels: int, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size
        self.conv = ConvLayer(channels + 1, channels, 3)
        self.fc = FullyConnected(channels * 16, channels, lrelu=True)
        self.out = FullyConnected(channels, 1)

    def forward(self, x: Tensor, formulation: Formulation) -> Tensor:
        """`[batch, channels, 4, 4]` to logits `[batch, 1]`."""
        batch, _, height, width = x.shape
        group = min(self.group_size, batch)
        y = x.reshape(group, batch // group, -1)
        deviation = (y - y.mean(0)).square().mean(0).add(EPSILON).sqrt().mean(1)
        maps = deviation.reshape(-1, 1, 1, 1).repeat(group, 1, height, width)
        x = self.conv(torch.cat([x, maps], dim=1), formulation)
        return self.out(self.fc(x.flatten(1)))


class Discriminator(nn.Module):
    """From images in [-1, 1] to logits, by the arguments of the official constructor that the zoo uses."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: str = "resnet",
        epilogue_kwargs: dict[str, int] | None = None,
        **others: object,
    ) -> None:
        super().__init__()
        # Null and empty options are the official defaults.
        unknown = {name: value for name, value in others.items() if value and name not in {"mapping_kwargs", "block_kwargs"}}
        if c_dim != 0 or architecture != "resnet" or unknown:
            message = f"c_dim {c_dim}, architecture {architecture}, {unknown}: not written here"
            raise ValueError(message)
        self.resolutions = [2**i for i in range(int(math.log2(img_resolution)), 2, -1)]
        channels = {r: min(channel_base // r, channel_max) for r in [*self.resolutions, 4]}
        for r in self.resolutions:
            self.add_module(f"b{r}", Block(img_channels if r == img_resolution else 0, channels[r], channels[r // 2]))
        self.b4 = Epilogue(channels[4], (epilogue_kwargs or {}).get("mbstd_group_size", 4))

    def forward(self, image: Tensor, formulation: Formulation) -> Tensor:
        """`[batch, channels, resolution, resolution]` to logits `[batch, 1]`."""
        x = image
        for r in self.resolutions:
            x = self.get_submodule(f"b{r}")(x, formulation)
        return self.b4(x, formulation)

    @classmethod
    def load(cls, path: Path) -> Discriminator:
        """Build the discriminator that the safetensors file describes."""
        file = tensor_file.read(path)
        discriminator = cls(**json.loads(file.metadata["config"]))
        discriminator.load_state_dict(file.tensors, strict=True)
        return discriminator
