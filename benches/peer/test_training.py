"""The discriminator and both penalties against the golden files; run with `python -m unittest` in this folder."""

from __future__ import annotations

import unittest

import torch

import tensor_file
from discriminator import Discriminator
from stylegan2 import OFFICIAL, Formulation
from test_peer import reference, relative_l2

NAME = "discriminator_resnet"
# f32 against references computed in f64, through some twenty layers.
LOGIT_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4


class DiscriminatorTest(unittest.TestCase):
    """Both formulations of the filters."""

    def test_logits_and_penalty(self) -> None:
        """Logits, the R1 penalty and its gradient by double backpropagation."""
        expected = tensor_file.read(reference("stylegan2", "stylegan2", f"{NAME}.expected.safetensors")).tensors
        for formulation in (OFFICIAL, Formulation("shared", "shifted")):
            with self.subTest(formulation=formulation):
                discriminator = Discriminator.load(reference("stylegan2", "stylegan2", f"{NAME}.safetensors"))
                image = expected["image"].clone().requires_grad_()
                logits = discriminator(image, formulation)
                self.assertLess(relative_l2(logits, expected["logits"]), LOGIT_TOLERANCE)
                (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
                penalty = gradient.square().sum([1, 2, 3])
                self.assertLess(relative_l2(penalty, expected["r1/penalty"]), GRADIENT_TOLERANCE)
                penalty.mean().backward()
                found = dict(discriminator.named_parameters())
                prefix = "r1/grad/"
                for name in (name for name in expected if name.startswith(prefix)):
                    parameter = found[name.removeprefix(prefix)]
                    self.assertLess(relative_l2(parameter.grad, expected[name]), GRADIENT_TOLERANCE, name)


if __name__ == "__main__":
    unittest.main()
