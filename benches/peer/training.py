"""The training loop of `vision-aided-finetune` in PyTorch, with its random numbers: both sides report the same losses.

Non-saturating logistic or relativistic loss, path length every 4 and R1 (and R2) every 16 iterations with double backpropagation,
style mixing, Adam with the corrections for lazy regularization, running average. Without augmentation, mirroring and noise, as the
zoo is trained.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tensor_file
from discriminator import Discriminator
from stylegan2 import Formulation, Generator

BETAS = (0.0, 0.99)
EPSILON = 1e-8
W_AVG_BETA = 0.995
GRADIENT_LIMIT = 1e5

# Numbers of the streams in `random.rs`.
GENERATOR_LATENTS, PATH_LENGTH_LATENTS, PATH_LENGTH_NOISE, DISCRIMINATOR_LATENTS, IMAGE_ORDER = 1, 3, 4, 5, 9


@dataclass(frozen=True)
class Config:
    """The options of `TrainingConfig` that matter here."""

    seed: int = 0
    batch_size: int = 16
    learning_rate: float = 0.002
    r1_gamma: float = 0.1
    r1_interval: int = 16
    r2_gamma: float = 0.0
    relativistic: bool = False
    path_length_weight: float = 2.0
    path_length_interval: int = 4
    path_length_batch_shrink: int = 2
    path_length_decay: float = 0.01
    style_mixing_probability: float = 0.9
    average_kimg: float = 5.0
    average_rampup: float = 0.05


@dataclass(frozen=True)
class Losses:
    """What an iteration reports."""

    generator: float
    discriminator: float
    r1_penalty: float | None
    r2_penalty: float | None
    path_length: float | None


def stream(seed: int, index: int, number: int) -> np.random.RandomState:
    """Random numbers of one purpose in one iteration."""
    word = 2**32
    return np.random.RandomState([seed % word, seed // word, index % word, index // word, number])


def load(request: dict[str, Any], formulation: Formulation) -> Training:
    """Load the run that a request to the worker describes."""
    files = request["training"]
    return Training(
        Generator.load(Path(request["model"])),
        Discriminator.load(Path(files["discriminator"])),
        tensor_file.read(Path(files["images"])).tensors["images"],
        Config(batch_size=request["batch"]),
        formulation,
    )


def below(random: np.random.RandomState, count: int) -> int:
    """Draw a whole number under `count`."""
    return min(int(random.random_sample() * count), count - 1)


def normals(random: np.random.RandomState, *shape: int) -> Tensor:
    """Draw standard normal numbers, rounded to f32."""
    return torch.from_numpy(random.randn(*shape).astype(np.float32)).to(torch.get_default_dtype())


def lazy_adam(parameters: Iterable[nn.Parameter], learning_rate: float, interval: int) -> torch.optim.Adam:
    """Adam with the correction for a regularizer every `interval` iterations."""
    ratio = interval / (interval + 1)
    return torch.optim.Adam(parameters, lr=learning_rate * ratio, betas=tuple(b**ratio for b in BETAS), eps=EPSILON)


class Training:
    """Networks, optimizers and position of a run."""

    def __init__(
        self, generator: Generator, discriminator: Discriminator, images: Tensor, config: Config, formulation: Formulation
    ) -> None:
        self.generator = generator.train().requires_grad_()
        self.average = copy.deepcopy(generator).eval().requires_grad_(False)
        self.discriminator = discriminator.train().requires_grad_()
        self.images = images
        self.config = config
        self.formulation = formulation
        self.generator_adam = lazy_adam(generator.parameters(), config.learning_rate, config.path_length_interval)
        self.discriminator_adam = lazy_adam(discriminator.parameters(), config.learning_rate, config.r1_interval)
        self.path_length_mean = torch.zeros([])
        self.iteration = 0

    def latents(self, batch: int, random: np.random.RandomState) -> Tensor:
        """W+ of a batch, with style mixing; moves the running average of w."""
        mapping, num_ws = self.generator.mapping, self.generator.synthesis.num_ws
        z_dim = mapping.fc0.weight.shape[1]
        w = mapping(normals(random, batch, z_dim))
        mapping.w_avg.copy_(w.detach().mean(0).lerp(mapping.w_avg, W_AVG_BETA))
        w_plus = w[:, None].repeat(1, num_ws, 1)
        mixes = random.random_sample() < self.config.style_mixing_probability
        cutoff = 1 + below(random, num_ws - 1)
        if not mixes:
            return w_plus
        other = mapping(normals(random, batch, z_dim))[:, None].repeat(1, num_ws, 1)
        return torch.cat([w_plus[:, :cutoff], other[:, cutoff:]], dim=1)

    def synthesis(self, w_plus: Tensor) -> Tensor:
        """Images without noise."""
        return self.generator.synthesis(w_plus, self.formulation, noise=False)

    def step(self) -> Losses:
        """One iteration."""
        i, config = self.iteration, self.config
        self.discriminator.requires_grad_(False)
        real = self.real_images()
        generator_loss = self.step_generator(real)
        path_length = self.step_path_length() if i % config.path_length_interval == 0 else None
        self.discriminator.requires_grad_()
        discriminator_loss, fake = self.step_discriminator(real)
        r1_penalty, r2_penalty = self.step_penalties(real, fake) if i % config.r1_interval == 0 else (None, None)
        self.update_average()
        self.iteration += 1
        return Losses(generator_loss, discriminator_loss, r1_penalty, r2_penalty, path_length)

    def step_generator(self, real: Tensor) -> float:
        """Update the generator by its loss, which is returned."""
        random = stream(self.config.seed, self.iteration, GENERATOR_LATENTS)
        fake = self.synthesis(self.latents(self.config.batch_size, random))
        logits = self.discriminator(fake, self.formulation)
        opposite = self.discriminator(real, self.formulation) if self.config.relativistic else 0
        loss = F.softplus(opposite - logits).mean()
        self.apply(self.generator_adam, loss)
        return loss.item()

    def step_path_length(self) -> float:
        """Update the generator by the path length penalty and return the mean length."""
        config = self.config
        batch = config.batch_size // config.path_length_batch_shrink
        w_plus = self.latents(batch, stream(config.seed, self.iteration, PATH_LENGTH_LATENTS))
        fake = self.synthesis(w_plus)
        random = stream(config.seed, self.iteration, PATH_LENGTH_NOISE)
        noise = normals(random, *fake.shape) / fake.shape[3]
        (gradient,) = torch.autograd.grad((fake * noise).sum(), w_plus, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        mean = self.path_length_mean.lerp(lengths.mean(), config.path_length_decay)
        self.path_length_mean = mean.detach()
        penalty = (lengths - mean).square().mean()
        self.apply(self.generator_adam, penalty * config.path_length_weight * config.path_length_interval)
        return lengths.mean().item()

    def real_images(self) -> Tensor:
        """Return the next images, in the order of `ShuffledOrder`."""
        count, first = len(self.images), self.iteration * self.config.batch_size
        indices = []
        for position in range(first, first + self.config.batch_size):
            epoch, offset = divmod(position, count)
            if getattr(self, "epoch", None) != epoch:
                random = stream(self.config.seed, epoch, IMAGE_ORDER)
                order = list(range(count))
                for last in range(count - 1, 0, -1):
                    other = below(random, last + 1)
                    order[last], order[other] = order[other], order[last]
                self.epoch, self.order = epoch, order
            indices.append(self.order[offset])
        return self.images[indices].to(torch.get_default_dtype()) / 127.5 - 1

    def step_discriminator(self, real: Tensor) -> tuple[float, Tensor]:
        """Update the discriminator by its loss, which is returned with the generated images."""
        random = stream(self.config.seed, self.iteration, DISCRIMINATOR_LATENTS)
        with torch.no_grad():
            fake = self.synthesis(self.latents(self.config.batch_size, random))
        fake_logits, real_logits = (self.discriminator(images, self.formulation) for images in (fake, real))
        if self.config.relativistic:
            loss = F.softplus(fake_logits - real_logits).mean()
        else:
            loss = F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()
        self.apply(self.discriminator_adam, loss)
        return loss.item(), fake

    def step_penalties(self, real: Tensor, fake: Tensor) -> tuple[float, float | None]:
        """Update the discriminator by the gradient penalties of real and, with a weight, of generated images; return both."""
        config = self.config
        r1_penalty = self.gradient_penalty(real)
        r2_penalty = self.gradient_penalty(fake) if config.r2_gamma > 0 else None
        total = r1_penalty * config.r1_gamma + (0 if r2_penalty is None else r2_penalty * config.r2_gamma)
        self.apply(self.discriminator_adam, total / 2 * config.r1_interval)
        return r1_penalty.item(), None if r2_penalty is None else r2_penalty.item()

    def gradient_penalty(self, images: Tensor) -> Tensor:
        """Return the mean squared norm of the logits' gradient in the images."""
        images = images.detach().requires_grad_()
        logits = self.discriminator(images, self.formulation)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return gradient.square().sum([1, 2, 3]).mean()

    @staticmethod
    def apply(adam: torch.optim.Adam, loss: Tensor) -> None:
        """Step along the gradient of the loss; a parameter without one has gradient 0."""
        adam.zero_grad(set_to_none=True)
        loss.backward()
        for group in adam.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.nan_to_num(parameter.grad, nan=0, posinf=GRADIENT_LIMIT, neginf=-GRADIENT_LIMIT, out=parameter.grad)
        adam.step()

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the running average of the generator's weights; images were shown before this batch."""
        config = self.config
        images = self.iteration * config.batch_size
        half_life = min(config.average_kimg * 1000, images * config.average_rampup)
        beta = 0.5 ** (config.batch_size / half_life) if half_life > 0 else 0.0
        for average, parameter in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.copy_(parameter.lerp(average, beta))
        for average, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            average.copy_(buffer)
