"""The jobs that are compared, and the files they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stylegan2 import OFFICIAL, Formulation

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
# Side of the images whose features are computed.
FEATURES_RESOLUTION = 224


# R1 is due every 16 iterations and path length every 4: any 16 on end do the same work.
TRAINING_PERIOD = 16


@dataclass(frozen=True)
class Case:
    """One row of the table: training, an inversion step when `net` is set, features where there is no model, else synthesis."""

    name: str
    model: Model | None
    batch: int
    net: Net | None = None
    trains: bool = False

    @property
    def title(self) -> str:
        """What is computed, in words."""
        if self.model is None:
            return f"EfficientNet-lite0 features, {FEATURES_RESOLUTION}x{FEATURES_RESOLUTION}, batch {self.batch}"
        job = "synthesis forward" if self.net is None else f"inversion step, LPIPS-{self.net}"
        if self.trains:
            job = "training iteration"
        return f"{self.model.title}: {job}, batch {self.batch}"

    @property
    def period(self) -> int:
        """Steps are timed and counted in multiples of this."""
        return TRAINING_PERIOD if self.trains else 1

    @property
    def plain(self) -> Formulation:
        """What the official networks compute: they modulate weights in evaluation only."""
        return Formulation("shared", "conv") if self.trains else OFFICIAL


def _inversion(label: str, model: Model, net: Net, batches: tuple[int, ...]) -> list[Case]:
    return [Case(f"inversion-{label}-{net}-b{batch}", model, batch, net) for batch in batches]


def gpu_cases() -> list[Case]:
    """Return the cases that are compared on a GPU."""
    batches = (1, 8, 32)
    return [*_inversion("256", MEDIUM, "alex", batches), *_inversion("1024", LARGE, "alex", batches)]


def _synthesis(label: str, model: Model, batches: tuple[int, ...]) -> list[Case]:
    return [Case(f"synthesis-{label}-b{batch}", model, batch) for batch in batches]


CASES = [
    Case("training-64-b16", ZOO, 16, trains=True),
    *_inversion("64", ZOO, "alex", (1, 4, 16)),
    *_inversion("256", MEDIUM, "alex", (1, 4, 16)),
    *_inversion("256", MEDIUM, "vgg", (1, 4)),
    *_inversion("1024", LARGE, "vgg", (1,)),
    *_synthesis("64", ZOO, (1, 4, 16)),
    *_synthesis("256", MEDIUM, (1, 4)),
    *_synthesis("1024", LARGE, (1,)),
    *(Case(f"features-efficientnet-b{batch}", None, batch) for batch in (1, 16)),
]
