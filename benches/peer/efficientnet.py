"""EfficientNet-lite0 in PyTorch: as published implementations compute, and with batch normalization folded in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Repeats, kernel, stride of the first block, expansion, channels.
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
NORMALIZATION_EPSILON = 1e-3


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as TensorFlow's `SAME`."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class EfficientNetLite0:
    """Pooled features of `[batch, 3, h, w]`, scaled as `(pixel - 127) / 128`."""

    def __init__(self, tensors: dict[str, Tensor], *, folded: bool, channels_last: bool = False) -> None:
        self.tensors, self.folded, self.channels_last = dict(tensors), folded, channels_last
        if folded:
            for convolution, norm in self._pairs():
                self._fold(convolution, norm)

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [("_conv_stem", "_bn0"), ("_conv_head", "_bn1")]
        for block in range(sum(repeats for repeats, *_ in STAGES)):
            names = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
            found = [(f"_blocks.{block}.{c}", f"_blocks.{block}.{n}") for c, n in names.items()]
            pairs += [pair for pair in found if f"{pair[0]}.weight" in self.tensors]
        return pairs

    def _fold(self, convolution: str, norm: str) -> None:
        t = self.tensors
        factor = t[f"{norm}.weight"] / (t[f"{norm}.running_var"] + NORMALIZATION_EPSILON).sqrt()
        weight = t[f"{convolution}.weight"] * factor[:, None, None, None]
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        t[f"{convolution}.weight"] = weight.contiguous(memory_format=layout)
        t[f"{convolution}.bias"] = t[f"{norm}.bias"] - t[f"{norm}.running_mean"] * factor

    def _convolve(self, x: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        t = self.tensors
        weight, bias = t[f"{convolution}.weight"], t.get(f"{convolution}.bias")
        kernel = weight.shape[-1]
        (top, bottom), (left, right) = (same_padding(size, kernel, stride) for size in x.shape[2:])
        groups = x.shape[1] // weight.shape[1]
        if (top, left) == (bottom, right):
            x = F.conv2d(x, weight, bias, stride, (top, left), groups=groups)
        else:
            x = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=groups)
        if self.folded:
            return x
        statistics = (t[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics, training=False, eps=NORMALIZATION_EPSILON)

    def __call__(self, x: Tensor) -> Tensor:
        """`[batch, 1280]`."""
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu6(self._convolve(x, "_conv_stem", "_bn0", 2), inplace=self.folded)
        block = 0
        for repeats, _, stride, expansion, _ in STAGES:
            for repeat in range(repeats):
                name, y = f"_blocks.{block}", x
                if expansion > 1:
                    y = F.relu6(self._convolve(y, f"{name}._expand_conv", f"{name}._bn0"), inplace=self.folded)
                step = stride if repeat == 0 else 1
                y = F.relu6(self._convolve(y, f"{name}._depthwise_conv", f"{name}._bn1", step), inplace=self.folded)
                y = self._convolve(y, f"{name}._project_conv", f"{name}._bn2")
                x = x + y if x.shape == y.shape else y
                block += 1
        return F.relu6(self._convolve(x, "_conv_head", "_bn1"), inplace=self.folded).mean([2, 3])
