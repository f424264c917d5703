"""A step of fixed shapes recorded once as a CUDA graph: no time goes into Python and into single launches."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Enough for cuDNN's choice of algorithms and for the optimizer's state.
WARM_UP_STEPS = 3


def capture(step: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """Run `step` a few times, record it, and return what replays it; the result is the same tensor every time."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = step()

    def replay() -> torch.Tensor:
        graph.replay()
        return result

    return replay
