"""StyleGAN2 generator in ordinary PyTorch operations, with the official parameter names.

After Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020). Each operation that has several
formulations of different speed takes its formulation from `Formulation`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fir
import tensor_file

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2)
# The mapping network learns at this fraction of the rate of the other layers.
MAPPING_LR_MULTIPLIER = 0.01
EPSILON = 1e-8
FIR_TAPS = (0.125, 0.375, 0.375, 0.125)

Architecture = Literal["orig", "skip", "resnet"]


@dataclass(frozen=True)
class Formulation:
    """How the two operations with several equivalent formulations are computed.

    `modulation`: `grouped` makes one weight per sample and runs a grouped convolution; `shared` scales the input by the style
    and the output by the demodulation. `filter`: `conv` runs depthwise convolutions; `shifted` adds shifted images.
    """

    modulation: Literal["grouped", "shared"]
    filter: Literal["conv", "shifted"]


# What the official networks compute in evaluation on a CPU.
OFFICIAL = Formulation(modulation="grouped", filter="conv")


def bias_act(x: Tensor, bias: Tensor, *, lrelu: bool, gain: float, clamp: float | None) -> Tensor:
    """Add the bias along dimension 1, then activation, gain and clamp."""
    x = x + bias.reshape([1, -1] + [1] * (x.ndim - 2))
    if lrelu:
        x = F.leaky_relu(x, LRELU_SLOPE)
    if gain != 1:
        x = x * gain
    return x if clamp is None else x.clamp(-clamp, clamp)


def filter_upsampled(x: Tensor, taps: Tensor, formulation: Formulation) -> Tensor:
    """Smooth the result of a 3x3 transposed convolution of stride 2: `[.., 2h + 1, 2w + 1]` to `[.., 2h, 2w]`."""
    if formulation.filter == "conv":
        return fir.upfirdn_conv(x, taps, up=1, padding=(1, 1), gain=4)
    return fir.filter_shifted(x, [2 * tap for tap in FIR_TAPS], padding=(1, 1))


def upsample(x: Tensor, taps: Tensor, formulation: Formulation) -> Tensor:
    """Double the resolution of an image."""
    if formulation.filter == "conv":
        return fir.upfirdn_conv(x, taps, up=2, padding=(2, 1), gain=4)
    return fir.double_shifted(x, FIR_TAPS)


def modulated_conv(
    x: Tensor, weight: Tensor, styles: Tensor, taps: Tensor, *, up: int, demodulate: bool, formulation: Formulation
) -> Tensor:
    """Convolve with the weight scaled per sample by the styles (equations 1 and 3), upsampled when `up` is 2."""
    batch, channels_in, height, width = x.shape
    channels_out, _, size, _ = weight.shape
    if formulation.modulation == "shared":
        x = x * styles[:, :, None, None]
        if up == 2:
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = filter_upsampled(x, taps, formulation)
        else:
            x = F.conv2d(x, weight, padding=size // 2)
        if demodulate:
            energy = styles.square() @ weight.square().sum([2, 3]).t()
            x = x * (energy + EPSILON).rsqrt()[:, :, None, None]
        return x
    weights = weight[None] * styles[:, None, :, None, None]  # [batch, out, in, k, k]
    if demodulate:
        weights = weights * (weights.square().sum([2, 3, 4], keepdim=True) + EPSILON).rsqrt()
    x = x.reshape(1, batch * channels_in, height, width)
    if up == 2:
        kernels = weights.transpose(1, 2).reshape(batch * channels_in, channels_out, size, size)
        x = F.conv_transpose2d(x, kernels, stride=2, groups=batch)
        x = filter_upsampled(x, taps, formulation)
    else:
        kernels = weights.reshape(batch * channels_out, channels_in, size, size)
        x = F.conv2d(x, kernels, padding=size // 2, groups=batch)
    return x.reshape(batch, channels_out, *x.shape[2:])


class FullyConnected(nn.Module):
    """Linear layer with equalized learning rate: weights are scaled by `lr_multiplier / sqrt(fan_in)` when used."""

    def __init__(self, features_in: int, features_out: int, *, lrelu: bool = False, lr_multiplier: float = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features_out, features_in))
        self.bias = nn.Parameter(torch.empty(features_out))
        self.lrelu = lrelu
        self.weight_gain = lr_multiplier / math.sqrt(features_in)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, in]` to `[batch, out]`."""
        weight, bias = self.weight * self.weight_gain, self.bias * self.bias_gain
        if not self.lrelu:
            return torch.addmm(bias[None], x, weight.t())
        return bias_act(x @ weight.t(), bias, lrelu=True, gain=LRELU_GAIN, clamp=None)


class Mapping(nn.Module):
    """Mapping network from `z` (and a label) to `w`."""

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, num_layers: int) -> None:
        super().__init__()
        self.num_layers = num_layers
        if c_dim > 0:
            self.embed = FullyConnected(c_dim, w_dim)
        sizes = [z_dim + (w_dim if c_dim > 0 else 0)] + [w_dim] * num_layers
        for i in range(num_layers):
            layer = FullyConnected(sizes[i], sizes[i + 1], lrelu=True, lr_multiplier=MAPPING_LR_MULTIPLIER)
            self.add_module(f"fc{i}", layer)
        self.register_buffer("w_avg", torch.zeros(w_dim))

    @staticmethod
    def _normalize(x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """`z` `[batch, z_dim]`, `c` `[batch, c_dim]`; the result is `w` `[batch, w_dim]`."""
        x = self._normalize(z)
        if c is not None:
            x = torch.cat([x, self._normalize(self.embed(c))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution with noise, bias and leaky ReLU."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, resolution: int, *, up: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, channels_in)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.noise_strength = nn.Parameter(torch.empty([]))
        self.register_buffer("noise_const", torch.empty(resolution, resolution))
        self.register_buffer("resample_filter", torch.empty(4, 4))
        self.up = up
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor, formulation: Formulation, *, noise: bool, gain: float = 1) -> Tensor:
        """`x` `[batch, in, h, w]` under the style of `w` `[batch, w_dim]`."""
        styles = self.affine(w)
        x = modulated_conv(x, self.weight, styles, self.resample_filter, up=self.up, demodulate=True, formulation=formulation)
        if noise:
            x = x.add_(self.noise_const * self.noise_strength)
        clamp = None if self.clamp is None else self.clamp * gain
        return bias_act(x, self.bias, lrelu=True, gain=LRELU_GAIN * gain, clamp=clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to the image, without demodulation."""

    def __init__(self, channels_in: int, channels_out: int, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = FullyConnected(w_dim, channels_in)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.empty(channels_out))
        self.weight_gain = 1 / math.sqrt(channels_in)
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor, taps: Tensor, formulation: Formulation) -> Tensor:
        """`[batch, in, h, w]` to `[batch, image channels, h, w]`."""
        styles = self.affine(w) * self.weight_gain
        x = modulated_conv(x, self.weight, styles, taps, up=1, demodulate=False, formulation=formulation)
        return bias_act(x, self.bias, lrelu=False, gain=1, clamp=self.clamp)


class ResidualSkip(nn.Module):
    """1x1 convolution and doubled resolution around a block of the `resnet` architecture."""

    resample_filter: Tensor

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 1, 1))
        self.register_buffer("resample_filter", torch.empty(4, 4))
        self.weight_gain = 1 / math.sqrt(channels_in)

    def forward(self, x: Tensor, formulation: Formulation, gain: float) -> Tensor:
        """`[batch, in, h, w]` to `[batch, out, 2h, 2w]`."""
        x = F.conv2d(x, self.weight * self.weight_gain)
        return upsample(x, self.resample_filter, formulation) * gain


class SynthesisBlock(nn.Module):
    """All layers of one resolution."""

    resample_filter: Tensor

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        architecture: Architecture,
        is_last: bool,
        clamp: float | None,
    ) -> None:
        super().__init__()
        self.is_first = channels_in == 0
        self.architecture = architecture
        self.register_buffer("resample_filter", torch.empty(4, 4))
        if self.is_first:
            self.const = nn.Parameter(torch.empty(channels_out, resolution, resolution))
        else:
            self.conv0 = SynthesisLayer(channels_in, channels_out, w_dim, resolution, up=2, clamp=clamp)
        self.conv1 = SynthesisLayer(channels_out, channels_out, w_dim, resolution, up=1, clamp=clamp)
        self.has_rgb = is_last or architecture == "skip"
        if self.has_rgb:
            self.torgb = ToRGB(channels_out, image_channels, w_dim, clamp)
        self.has_residual = architecture == "resnet" and not self.is_first
        if self.has_residual:
            self.skip = ResidualSkip(channels_in, channels_out)
        self.num_conv = 1 if self.is_first else 2

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, formulation: Formulation, *, noise: bool
    ) -> tuple[Tensor, Tensor | None]:
        """`ws` `[batch, num_conv + 1, w_dim]`, the last one for the image layer."""
        if self.is_first:
            x = self.const[None].repeat(ws.shape[0], 1, 1, 1)
            x = self.conv1(x, ws[:, 0], formulation, noise=noise)
        elif self.has_residual:
            # Both branches are scaled, so that their sum keeps unit variance.
            gain = math.sqrt(0.5)
            residual = self.skip(x, formulation, gain)
            x = self.conv0(x, ws[:, 0], formulation, noise=noise)
            x = residual + self.conv1(x, ws[:, 1], formulation, noise=noise, gain=gain)
        else:
            x = self.conv0(x, ws[:, 0], formulation, noise=noise)
            x = self.conv1(x, ws[:, 1], formulation, noise=noise)
        if image is not None:
            image = upsample(image, self.resample_filter, formulation)
        if self.has_rgb:
            rgb = self.torgb(x, ws[:, self.num_conv], self.resample_filter, formulation)
            image = rgb if image is None else image.add_(rgb)
        return x, image


class Synthesis(nn.Module):
    """Synthesis network from W+ to images."""

    def __init__(
        self,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        channel_base: int = 32768,
        channel_max: int = 512,
        architecture: Architecture = "skip",
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.w_dim = w_dim
        self.resolutions = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
        channels = {r: min(channel_base // r, channel_max) for r in self.resolutions}
        for r in self.resolutions:
            block = SynthesisBlock(
                channels.get(r // 2, 0),
                channels[r],
                w_dim,
                r,
                image_channels,
                architecture=architecture,
                is_last=r == resolution,
                clamp=conv_clamp,
            )
            self.add_module(f"b{r}", block)
        self.num_ws = 2 * len(self.resolutions)

    def forward(self, w_plus: Tensor, formulation: Formulation, *, noise: bool = True) -> Tensor:
        """`w_plus` `[batch, num_ws, w_dim]` to images `[batch, channels, resolution, resolution]`; noise is constant or off."""
        x = image = None
        first = 0
        for r in self.resolutions:
            block = self.get_submodule(f"b{r}")
            # The image layer's latent is the next block's first one.
            ws = w_plus[:, first : first + block.num_conv + 1]
            first += block.num_conv
            x, image = block(x, image, ws, formulation, noise=noise)
        return image


# Options of the official constructors that are spelled out in this project's files, and the one value of each that is written here.
FIXED_MAPPING = {"embed_features": None, "layer_features": None, "activation": "lrelu", "lr_multiplier": MAPPING_LR_MULTIPLIER}
FIXED_SYNTHESIS = {
    "num_fp16_res": 0,
    "resample_filter": [1, 3, 3, 1],
    "fp16_channels_last": False,
    "kernel_size": 3,
    "use_noise": True,
    "activation": "lrelu",
}


def without_fixed(options: dict[str, Any] | None, fixed: dict[str, Any]) -> dict[str, Any]:
    """Options less those of `fixed`, which must have the value given there."""
    options = options or {}
    for name, value in fixed.items():
        if options.get(name, value) != value:
            message = f"{name}: expected {value!r}, found {options[name]!r}: the generator of the comparison has no other"
            raise ValueError(message)
    return {name: value for name, value in options.items() if name not in fixed}


class Generator(nn.Module):
    """Mapping and synthesis networks from the arguments of the official constructor."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        mapping_kwargs: dict[str, Any] | None = None,
        synthesis_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        mapping = without_fixed(mapping_kwargs, FIXED_MAPPING)
        synthesis = without_fixed(synthesis_kwargs, FIXED_SYNTHESIS)
        self.synthesis = Synthesis(w_dim, img_resolution, img_channels, **synthesis)
        self.mapping = Mapping(z_dim, c_dim, w_dim, **{"num_layers": 8, **mapping})

    @classmethod
    def load(cls, path: Path) -> Generator:
        """Build the generator that the safetensors file describes, frozen and in evaluation mode."""
        file = tensor_file.read(path)
        generator = cls(**json.loads(file.metadata["config"]))
        generator.load_state_dict(file.tensors, strict=True)
        return generator.eval().requires_grad_(False)
