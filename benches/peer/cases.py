"""The jobs that are compared, and the files they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Net = Literal["alex", "vgg"]


@dataclass(frozen=True)
class Model:
    """A generator: a trained file, or an architecture with seeded weights."""

    title: str
    resolution: int
    channel_base: int
    trained: bool = False


ZOO = Model("64x64 zoo model", 64, 1024, trained=True)
MEDIUM = Model("256x256, channel_base 16384", 256, 16384)
LARGE = Model("1024x1024, channel_base 32768", 1024, 32768)


@dataclass(frozen=True)
class Case:
    """One row of the table: an inversion step when `net` is set, else a synthesis forward pass."""

    name: str
    model: Model
    batch: int
    net: Net | None = None

    @property
    def title(self) -> str:
        """What is computed, in words."""
        job = "synthesis forward" if self.net is None else f"inversion step, LPIPS-{self.net}"
        return f"{self.model.title}: {job}, batch {self.batch}"


def _inversion(label: str, model: Model, net: Net, batches: tuple[int, ...]) -> list[Case]:
    return [Case(f"inversion-{label}-{net}-b{batch}", model, batch, net) for batch in batches]


def _synthesis(label: str, model: Model, batches: tuple[int, ...]) -> list[Case]:
    return [Case(f"synthesis-{label}-b{batch}", model, batch) for batch in batches]


CASES = [
    *_inversion("64", ZOO, "alex", (1, 4, 16)),
    *_inversion("256", MEDIUM, "alex", (1, 4)),
    *_inversion("256", MEDIUM, "vgg", (1, 4)),
    *_synthesis("64", ZOO, (1, 4, 16)),
    *_synthesis("256", MEDIUM, (1, 4)),
    *_synthesis("1024", LARGE, (1,)),
]
