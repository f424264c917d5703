"""The PyTorch side of the comparison: reads requests as JSON lines, answers each with one line.

`{"hello": true}` is answered once everything is imported. `{"load": {...}}` prepares a case. `{"steps": n}` runs n steps and
answers with the seconds and the loss of each (0 for synthesis, the sum of both networks' losses for training, the sum of
all features for a feature network). `{"flops": n}` counts a step's operations, the mean of n steps, and
`{"roof": threads}` measures how many a second PyTorch's best 3x3 convolution reaches.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import cuda_graph
import perceptual
import tensor_file
import training
from efficientnet import EfficientNetLite0
from stylegan2 import Formulation, Generator

LEARNING_RATE = 0.05
# Channels and side of the convolutions tried for the roof.
ROOF_SHAPES = ((64, 256), (128, 128), (256, 64), (512, 32))
ROOF_REPETITIONS = 10

Step = Callable[[], float]


def inversion_step(request: dict[str, Any], generator: Generator, start: torch.Tensor, formulation: Formulation) -> Step:
    """One step of W+ optimization: synthesis, LPIPS + MSE, backward to W+, Adam."""
    targets = tensor_file.read(Path(request["targets"])).tensors["targets"].to(start.device)
    model = perceptual.load(request["net"], Path(request["lpips_folder"])).to(start.device)
    kind = perceptual.PreparedDistance if request["prepared_targets"] else perceptual.PackageDistance
    distance = kind(model, targets)
    w_plus = start.clone().requires_grad_()
    captured = request.get("cuda_graph", False)
    optimizer = torch.optim.Adam([w_plus], lr=LEARNING_RATE, capturable=captured)

    def step() -> torch.Tensor:
        images = generator.synthesis(w_plus, formulation)
        loss = (distance(images) + (images - targets).square().mean([1, 2, 3])).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    if captured:
        replay = cuda_graph.capture(step)
        # What ran before the capture is undone, so that all sides start alike.
        with torch.no_grad():
            w_plus.copy_(start)
        for value in optimizer.state[w_plus].values():
            value.zero_()
        return lambda: replay().item()
    return lambda: step().item()


def training_step(run: training.Training) -> Step:
    """One iteration of training: both networks, their regularizers where these are due, the average."""

    def step() -> float:
        losses = run.step()
        return losses.generator + losses.discriminator

    return step


def features_step(request: dict[str, Any]) -> Step:
    """One pass of a feature network over images in [-1, 1]."""
    network = EfficientNetLite0(tensor_file.read(Path(request["features"])).tensors, **request["formulation"])
    images = tensor_file.read(Path(request["targets"])).tensors["targets"]

    def step() -> float:
        with torch.inference_mode():
            # [-1, 1] to (pixel - 127) / 128.
            return network(images * (127.5 / 128) + 0.5 / 128).sum().item()

    return step


def prepare(request: dict[str, Any]) -> Step:
    """Load what the request names and return the step that is timed."""
    torch.set_num_threads(request["threads"])
    device = torch.device(request.get("device", "cpu"))
    # f32 on both sides; cuDNN's convolutions would take TensorFloat-32 by default.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = request.get("cudnn_benchmark", True)
    if device.type != "cpu" and request.get("net") is None:
        message = f"only inversion steps are timed on {device}"
        raise ValueError(message)
    if "features" in request:
        return features_step(request)
    formulation = Formulation(**request["formulation"])
    if request["training"] is not None:
        return training_step(training.load(request, formulation))
    generator = Generator.load(Path(request["model"])).to(device)
    start = generator.mapping.w_avg.expand(request["batch"], generator.synthesis.num_ws, -1).clone()
    if request["net"] is not None:
        return inversion_step(request, generator, start, formulation)

    def step() -> float:
        with torch.inference_mode():
            generator.synthesis(start, formulation)
        return 0.0

    return step


def run(step: Step, count: int) -> dict[str, Any]:
    """Time `count` steps one by one."""
    seconds, losses = [], []
    for _ in range(count):
        begin = time.perf_counter()
        losses.append(step())
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds, "losses": losses}


class OperationCounter(TorchDispatchMode):
    """Adds up operations by PyTorch's own rules; its `FlopCounterMode` follows modules, which fails under `autograd.grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        rule = flop_registry.get(func.overloadpacket)
        if rule is None:
            # What is made of other operations comes back as those.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if rule is not None:
            self.total += rule(*args, **kwargs, out_val=result)
        return result


def count_flops(step: Step, count: int) -> float:
    """Floating-point operations of a step's convolutions and matrix products, two for a multiply-add; the mean of `count` steps."""
    with OperationCounter() as counter:
        for _ in range(count):
            step()
    return counter.total / count


def measure_roof(threads: int) -> float:
    """Operations per second of the fastest 3x3 convolution, f32."""
    torch.set_num_threads(threads)
    best = 0.0
    for channels, side in ROOF_SHAPES:
        x = torch.randn(1, channels, side, side)
        weight = torch.randn(channels, channels, 3, 3)
        flops = 2 * 9 * channels**2 * side**2
        with torch.inference_mode():
            for _ in range(ROOF_REPETITIONS):
                begin = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                best = max(best, flops / (time.perf_counter() - begin))
    return best


def main() -> None:
    """Answer requests until the input ends."""
    step: Step | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "hello" in request:
            answer: dict[str, Any] = {"ready": True}
        elif "roof" in request:
            answer = {"flops_per_second": measure_roof(request["roof"])}
        elif "load" in request:
            # The last case's tensors go first.
            step = None
            torch.cuda.empty_cache()
            step = prepare(request["load"])
            answer = {"ready": True}
        elif step is None:
            message = "`load` must come before `steps` and `flops`"
            raise RuntimeError(message)
        elif "flops" in request:
            answer = {"flops": count_flops(step, request["flops"])}
        else:
            answer = run(step, request["steps"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
