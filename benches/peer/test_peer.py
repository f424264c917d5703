"""The PyTorch side computes what the references say; run with `python -m unittest` in this folder.

`REFERENCE_DIR` names the folder of reference files; without it the fixtures of the crates are used.
"""

from __future__ import annotations

import os
import unittest
from pathlib import Path

from torch import Tensor

import assets
import perceptual
import tensor_file
from stylegan2 import OFFICIAL, Formulation, Generator

CRATES = Path(__file__).parents[2] / "crates"
TUNED = [Formulation(modulation, "shifted") for modulation in ("grouped", "shared")]
# f32 against references computed in f64, through some twenty layers.
IMAGE_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4


def reference(crate: str, folder: str, name: str) -> Path:
    """Path of a reference file."""
    if directory := os.environ.get("REFERENCE_DIR"):
        return Path(directory) / folder / name
    return CRATES / crate / "tests" / "fixtures" / folder / name


def relative_l2(actual: Tensor, expected: Tensor) -> float:
    """|actual - expected| / |expected|, in f64."""
    difference = actual.detach().double() - expected.double()
    return float(difference.norm() / expected.double().norm())


class GeneratorTest(unittest.TestCase):
    """Every formulation against the golden images, latents and gradients."""

    NAMES = ("generator_skip", "generator_conditional_resnet", "generator_clamped_gray")

    def test_mapping(self) -> None:
        """W of the stored z and labels."""
        for name in self.NAMES:
            generator = Generator.load(reference("stylegan2", "stylegan2", f"{name}.safetensors"))
            expected = tensor_file.read(reference("stylegan2", "stylegan2", f"{name}.expected.safetensors")).tensors
            w = generator.mapping(expected["z"], expected.get("c"))
            self.assertLess(relative_l2(w, expected["w"]), IMAGE_TOLERANCE, name)

    def test_images_and_gradients(self) -> None:
        """Images without and with noise, and the gradient to W+."""
        for name in self.NAMES:
            generator = Generator.load(reference("stylegan2", "stylegan2", f"{name}.safetensors"))
            expected = tensor_file.read(reference("stylegan2", "stylegan2", f"{name}.expected.safetensors")).tensors
            for formulation in [OFFICIAL, *TUNED]:
                with self.subTest(name=name, formulation=formulation):
                    w_plus = expected["w_plus"].clone().requires_grad_()
                    plain = generator.synthesis(w_plus, formulation, noise=False)
                    self.assertLess(relative_l2(plain, expected["image_w_plus_none"]), IMAGE_TOLERANCE)
                    image = generator.synthesis(w_plus, formulation)
                    self.assertLess(relative_l2(image, expected["image_w_plus_const"]), IMAGE_TOLERANCE)
                    (image * expected["probe"]).sum().backward()
                    self.assertLess(relative_l2(w_plus.grad, expected["grad/w_plus"]), GRADIENT_TOLERANCE)


class LpipsTest(unittest.TestCase):
    """Both distances against the golden values with a seeded backbone."""

    def test_distance_and_gradient(self) -> None:
        """Distance per image, and its gradient."""
        expected = tensor_file.read(reference("lpips", "features", "lpips.expected.safetensors")).tensors
        for net in ("alex", "vgg"):
            for kind in (perceptual.PackageDistance, perceptual.PreparedDistance):
                with self.subTest(net=net, kind=kind.__name__):
                    model = perceptual.build(net, assets.seeded_backbone(net))
                    images = expected["x0"].clone().requires_grad_()
                    distance = kind(model, expected["x1"])(images)
                    self.assertLess(relative_l2(distance, expected[f"{net}/distance"]), IMAGE_TOLERANCE)
                    distance.sum().backward()
                    self.assertLess(relative_l2(images.grad, expected[f"{net}/grad_x0"]), GRADIENT_TOLERANCE)


if __name__ == "__main__":
    unittest.main()
