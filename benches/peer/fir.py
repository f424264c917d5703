"""Resampling with a FIR filter: through convolutions, as the official networks do on a CPU, or as shifted additions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = tuple[int, int]


def upfirdn_conv(x: Tensor, taps: Tensor, up: int, padding: Padding, gain: float) -> Tensor:
    """Insert zeros, pad both axes by `padding` and correlate every channel with the symmetric filter `taps` `[k, k]`."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height, 1, width, 1)
    x = F.pad(x, [0, up - 1, 0, 0, 0, up - 1])
    x = x.reshape(batch, channels, height * up, width * up)
    x = F.pad(x, [*padding, *padding])
    kernel = (taps * gain).flip([0, 1])[None, None].repeat(channels, 1, 1, 1)
    return F.conv2d(x, kernel, groups=channels)


def _correlate(x: Tensor, taps: Sequence[float], axis: int) -> Tensor:
    length = x.shape[axis] - len(taps) + 1
    total = x.narrow(axis, 0, length) * taps[0]
    for shift, tap in enumerate(taps[1:], start=1):
        total.add_(x.narrow(axis, shift, length), alpha=tap)
    return total


class _SeparableFilter(torch.autograd.Function):
    """Correlation of both axes with the same taps.

    The adjoint is written out, because autograd's would allocate a zero-filled image for every slice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Sequence[float], padding: Padding) -> Tensor:  # noqa: ANN401
        ctx.taps, ctx.padding = taps, padding
        return _correlate(_correlate(F.pad(x, [*padding, *padding]), taps, 3), taps, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        before, after = (len(ctx.taps) - 1 - p for p in ctx.padding)
        padded = F.pad(gradient, [before, after, before, after])
        reverse = ctx.taps[::-1]
        return _correlate(_correlate(padded, reverse, 3), reverse, 2), None, None


def filter_shifted(x: Tensor, taps: Sequence[float], padding: Padding) -> Tensor:
    """Pad both axes by `padding` and correlate them with the one-dimensional symmetric `taps`."""
    return _SeparableFilter.apply(x, taps, padding)


def _double(x: Tensor, taps: Sequence[float], axis: int) -> Tensor:
    outer, inner = 2 * taps[0], 2 * taps[1]
    widths = [1, 1] if axis == 3 else [0, 0, 1, 1]
    padded = F.pad(x, widths)
    length = x.shape[axis]
    before, after = padded.narrow(axis, 0, length), padded.narrow(axis, 2, length)
    even = torch.add(inner * x, before, alpha=outer)
    odd = torch.add(inner * x, after, alpha=outer)
    return torch.stack([even, odd], dim=axis + 1).flatten(axis, axis + 1)


def double_shifted(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Upsample both axes by 2 with the four symmetric `taps`, each output pixel from its two non-zero neighbors."""
    return _double(_double(x, taps, 3), taps, 2)
