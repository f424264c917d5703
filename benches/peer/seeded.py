"""Weights that every implementation can compute from their names, as `testkit::seeded` does."""

from __future__ import annotations

import math
import os

import numpy as np

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
WORD = 2**64


def fnv1a64(text: str) -> int:
    """Hash of Fowler, Noll and Vo, variant 1a, 64 bits."""
    state = FNV_OFFSET
    for byte in text.encode():
        state = (state ^ byte) * FNV_PRIME % WORD
    return state


def splitmix64(state: np.ndarray) -> np.ndarray:
    """Output function of the SplitMix64 generator; `state` is u64 and wraps."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def seeded(name: str, shape: tuple[int, ...], std: float = 1.0) -> np.ndarray:
    """Uniform values of mean 0 and the given standard deviation for the tensor `name`, f32."""
    start = fnv1a64(os.environ.get("REFERENCE_SALT", "") + name)
    counter = np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(start)
    uniform = (splitmix64(counter) >> np.uint64(40)).astype(np.float64) / 2**24
    return (std * math.sqrt(3) * (2 * uniform - 1)).astype(np.float32).reshape(shape)
