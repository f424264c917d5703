"""Comparison with PyTorch on one NVIDIA GPU: inversion steps, ours beside PyTorch eager and as a CUDA graph.

One process a side, which takes all cases in turn while no other process is on the GPU, so that every case may fill its memory.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cases import Case, gpu_cases
from run import ROOT, TUNED, WARM_UP_STEPS, Side, request_for
from stylegan2 import OFFICIAL

WORKER = [sys.executable, str(Path(__file__).with_name("worker.py"))]
# Sums of thousands of terms in f32 in another order; Adam then turns a gradient of any size into a step of one size.
LOSS_TOLERANCE = 2e-3
ROUNDS = 5
RESULTS = "gpu-results.json"
LARGEST = 1024

# What is asked of PyTorch, by the name of the column and of the variant.
VARIANTS: dict[tuple[str, str], dict[str, Any]] = {
    ("eager", "shared"): {"formulation": asdict(TUNED["shared"]), "prepared_targets": True},
    ("graph", "shared"): {"formulation": asdict(TUNED["shared"]), "prepared_targets": True, "cuda_graph": True},
    ("plain", "grouped"): {"formulation": asdict(OFFICIAL), "prepared_targets": False},
    ("graph", "grouped"): {"formulation": asdict(TUNED["grouped"]), "prepared_targets": True, "cuda_graph": True},
    ("eager", "grouped"): {"formulation": asdict(TUNED["grouped"]), "prepared_targets": True},
}


# By case and side: `ours`, or `column/variant`.
Results = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Job:
    """One case on one side."""

    case: str
    side: str
    load: dict[str, Any]


def tries_algorithms(case: Case) -> bool:
    """Whether cuDNN tries its algorithms on each shape, as in the official code: that takes minutes on the largest batches."""
    return case.model.resolution < LARGEST or case.batch == 1


def gpu_memory() -> int:
    """Bytes in use on the GPU."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]) << 20


def measure(side: Side, load: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Load a case, check that its losses are finite, and time rounds of steps."""
    side.ask({"load": load})
    warm_up = side.ask({"steps": WARM_UP_STEPS})
    # Our side writes what is no number as null.
    if not all(loss is not None and math.isfinite(loss) for loss in warm_up["losses"]):
        message = f"losses {warm_up['losses']}"
        raise RuntimeError(message)
    steps = max(1, round(seconds / ROUNDS / min(warm_up["seconds"])))
    rounds = [statistics.fmean(side.ask({"steps": steps})["seconds"]) for _ in range(ROUNDS)]
    return {"seconds": rounds, "losses": warm_up["losses"], "first_step": warm_up["seconds"][0], "gpu_bytes": gpu_memory()}


def run_side(command: list[str], jobs: list[Job], results: Results, options: argparse.Namespace) -> None:
    """Measure all jobs in one process; one that fails, for want of memory, costs the process and a new one takes the next job."""
    side: Side | None = None
    for job in jobs:
        print(f"{job.case} {job.side} ...", file=sys.stderr, flush=True)
        side = side or Side(command, options.threads)
        try:
            result = measure(side, job.load, options.seconds)
        except RuntimeError as error:
            result = {"error": str(error)[:200]}
            side.process.kill()
            side.process.wait()
            side = None
        results.setdefault(job.case, {})[job.side] = result
        (options.work / RESULTS).write_text(json.dumps(results, indent=1))
    if side is not None:
        side.close()


def rate(result: dict[str, Any], batch: int) -> float:
    """Images times steps a second, of the fastest round; 0 where the case failed."""
    return batch / min(result["seconds"]) if "seconds" in result else 0.0


def best(results: dict[str, Any], column: str, batch: int) -> float:
    """Return the rate of the fastest variant of a column."""
    return max((rate(result, batch) for name, result in results.items() if name.split("/")[0] == column), default=0.0)


def table(cases: list[Case], results: Results) -> str:
    """Lay out images times steps a second, and the ratios."""
    columns = ["ours", "plain", "eager", "graph"]
    lines = [f"| case | {' | '.join(columns)} | ours / plain | ours / eager | ours / graph |"]
    lines.append("|---|" + "---:|" * 7)
    for case in cases:
        sides = results.get(case.name, {})
        rates = {column: best(sides, column, case.batch) for column in columns}
        cells = [f"{rates[column]:.1f}" if rates[column] else "-" for column in columns]
        ratios = [f"{rates['ours'] / rates[peer]:.2f}" if rates[peer] and rates["ours"] else "-" for peer in columns[1:]]
        lines.append(f"| {case.title} | {' | '.join([*cells, *ratios])} |")
    return "\n".join(lines)


def check_losses(name: str, sides: dict[str, Any]) -> None:
    """Print where two sides compute different things."""
    expected = next((side["losses"] for key, side in sides.items() if key != "ours" and "losses" in side), None)
    if expected is None:
        print(f"{name}: no losses of PyTorch to compare with", file=sys.stderr)
    for key, side in sides.items():
        for value, right in zip(side.get("losses", []), expected or [], strict=False):
            if abs(value - right) > LOSS_TOLERANCE * abs(right):
                print(f"{name}: losses of {key} are {side['losses']}, expected {expected}", file=sys.stderr)
                break


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, default=ROOT / "target/release/step-worker", help="the worker binary, built for a GPU")
    parser.add_argument("--device", default="cuda", choices=["cuda", "wgpu"], help="our side's device")
    parser.add_argument("--lpips", type=Path, default=ROOT / "weights/features", help="folder of LPIPS weights")
    parser.add_argument("--work", type=Path, default=ROOT / "target/peer", help="folder for seeded weights and results")
    parser.add_argument("--case", default="", help="regular expression: only cases whose name matches")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long a case of a side is timed, about")
    parser.add_argument("--threads", type=int, default=8, help="CPU threads of each side")
    parser.add_argument("--sides", default="ours,torch", help="which sides run; the other keeps its last results")
    options = parser.parse_args()
    cases = [case for case in gpu_cases() if re.search(options.case, case.name)]
    options.work.mkdir(parents=True, exist_ok=True)
    requests = {case.name: request_for(case, options) for case in cases}
    path = options.work / RESULTS
    results: Results = json.loads(path.read_text()) if path.exists() else {}
    if "ours" in options.sides:
        jobs = [Job(name, "ours", {**request, "device": options.device}) for name, request in requests.items()]
        run_side([str(options.ours.resolve())], jobs, results, options)
    if "torch" in options.sides:
        jobs = [
            Job(
                case.name,
                f"{column}/{variant}",
                {**requests[case.name], **extra, "device": "cuda", "cudnn_benchmark": tries_algorithms(case)},
            )
            for (column, variant), extra in VARIANTS.items()
            for case in cases
        ]
        run_side(WORKER, jobs, results, options)
    for name in requests:
        check_losses(name, results.get(name, {}))
    print(table(cases, results))


if __name__ == "__main__":
    main()
