"""Interleaved comparison of this workspace with PyTorch: ours, plain, tuned, ours, ...

Every side of every case runs in a process of its own and waits while another one is timed. Results are merged into a JSON file
after each case, from which `report.py` prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import assets
import report
from cases import CASES, FEATURES_RESOLUTION, Case
from stylegan2 import Formulation

ROOT = Path(__file__).parents[2]
# The first losses of two sides that compute the same thing agree to this, relatively.
LOSS_TOLERANCE = 1e-3
# Losses are compared over these first steps, which also warm up; the later ones depend on the gradients and on Adam.
WARM_UP_STEPS = 3
# Which modulation is faster depends on the case, so both are timed.
TUNED = {"grouped": Formulation("grouped", "shifted"), "shared": Formulation("shared", "shifted")}
# The same choice for feature networks: layouts of the memory, both with batch normalization folded into the convolutions.
TUNED_FEATURES = {
    "planar": {"folded": True, "channels_last": False},
    "channels last": {"folded": True, "channels_last": True},
}
# In a case of steps so long, a tuned form that takes so many times as long as the other one while warming up is not timed, and
# gives its memory back.
LONG_STEP_SECONDS = 1.0
CLEARLY_SLOWER = 1.5
# Idle OpenMP threads spin for a few milliseconds before they sleep; the next side waits for that.
SETTLE_SECONDS = 0.05

# Activations that a step frees are taken again by the next one. glibc's defaults hand them back to the system in between, so that
# up to a quarter of a step goes into page faults. *Tuned* keeps them, in huge pages, and ours does (`mimalloc`); *plain* runs with
# the defaults, as the official scripts do.
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str((1 << 31) - 1),
    "THP_MEM_ALLOC_ENABLE": "1",
}

# A machine with wide vectors stands in for one without: the widest set that each side may use, in its own variables. The matrix
# products of `gemm` and Burn's Flex have none and keep what the machine has.
NARROWER = {
    "avx2": {
        "KERNELS_SIMD": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
    },
}


class Side:
    """A worker process that answers requests."""

    def __init__(self, command: list[str], threads: int, environment: dict[str, str] | None = None) -> None:
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "RAYON_NUM_THREADS": count, **(environment or {})}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parent
        )
        self.ask({"hello": True})
        self.idle_bytes = self.peak_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a second call does nothing."""
        self.process.stdin.close()
        self.process.wait()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            message = f"{self.process.args} ended with status {self.process.wait()} at {request}"
            raise RuntimeError(message)
        return json.loads(line)

    def processor_seconds(self) -> float:
        """Time that all threads of the process had a processor so far."""
        # The name, in brackets, may have spaces.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        """Peak resident memory of the process so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def busy_seconds() -> float:
    """Time that this machine's processors were not idle so far, or did not have because another machine had it."""
    user, nice, system, _idle, _wait, *interrupts_and_stolen = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")


def timed_round(side: Side, steps: int) -> tuple[float, float]:
    """Mean seconds of a step, and how many cores other processes had: without one of two, two threads take as long as one."""
    start, busy, own = time.monotonic(), busy_seconds(), side.processor_seconds()
    seconds = statistics.fmean(side.ask({"steps": steps})["seconds"])
    others = (busy_seconds() - busy) - (side.processor_seconds() - own)
    return seconds, max(0.0, others / (time.monotonic() - start))


def request_for(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Build what all sides of a case are asked to load; seeded files are written first."""
    if case.model is None:
        targets = options.work / f"targets-{FEATURES_RESOLUTION}-b{case.batch}.safetensors"
        assets.seeded_targets(FEATURES_RESOLUTION, case.batch, targets)
        paths = {"features": str(options.features.resolve()), "targets": str(targets.resolve())}
        return {**paths, "batch": case.batch, "threads": options.threads}
    model = options.zoo if case.model.trained else options.work / f"generator-{case.model.resolution}.safetensors"
    if not case.model.trained:
        assets.seeded_generator(case.model, model)
    targets = options.work / f"targets-{case.model.resolution}-b{case.batch}.safetensors"
    assets.seeded_targets(case.model.resolution, case.batch, targets)
    lpips = options.lpips
    if lpips is None and case.net is not None:
        lpips = options.work / "lpips"
        assets.seeded_lpips(case.net, lpips)
    return {
        "model": str(model.resolve()),
        "batch": case.batch,
        "net": case.net,
        "lpips_folder": str(lpips.resolve()) if lpips else None,
        "targets": str(targets.resolve()),
        "training": training_files(case, options.work) if case.trains else None,
        "threads": options.threads,
    }


def training_files(case: Case, work: Path) -> dict[str, str]:
    """Write what training needs beside the generator: a discriminator and images."""
    discriminator = work / f"discriminator-{case.model.resolution}-{case.model.channel_base}.safetensors"
    assets.seeded_discriminator(case.model, discriminator)
    images = work / f"training-images-{case.model.resolution}.safetensors"
    assets.seeded_training_images(case.model.resolution, images)
    return {"discriminator": str(discriminator.resolve()), "images": str(images.resolve())}


def torch_request(request: dict[str, Any], formulation: Formulation, *, prepared_targets: bool) -> dict[str, Any]:
    """Complete the request for a PyTorch side."""
    return {**request, "formulation": asdict(formulation), "prepared_targets": prepared_targets}


def torch_requests(case: Case, request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Complete the request for the plain side and for those of which the faster one is the tuned side."""
    if case.model is None:
        plain = {**request, "formulation": {"folded": False}}
        return {"plain": plain, **{name: {**request, "formulation": kind} for name, kind in TUNED_FEATURES.items()}}
    plain = torch_request(request, case.plain, prepared_targets=False)
    tuned = {name: torch_request(request, formulation, prepared_targets=True) for name, formulation in TUNED.items()}
    return {"plain": plain, **tuned}


def check_losses(case: Case, losses: dict[str, list[float]]) -> None:
    """Stop when the sides compute different things."""
    for side, values in losses.items():
        for step, (value, expected) in enumerate(zip(values, losses["plain"], strict=True), start=1):
            # Written so that NaN fails.
            if not abs(value - expected) <= LOSS_TOLERANCE * abs(expected):
                message = f"{case.name}: loss of step {step} is {value} for {side}, but {expected} for plain"
                raise RuntimeError(message)


def clearly_slower(case: Case, warm_up: dict[str, list[float]]) -> list[str]:
    """Name the tuned forms that need not be timed; in training every few steps do more, so that three say nothing."""
    seconds = {name: min(values) for name, values in warm_up.items()}
    fastest = min(seconds.values())
    if case.trains or fastest < LONG_STEP_SECONDS:
        return []
    return [name for name, value in seconds.items() if value > CLEARLY_SLOWER * fastest]


def measure(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Run one case on all sides; of the two tuned formulations the faster one is kept."""
    worker = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    request = request_for(case, options)
    requests = {"ours": request, **torch_requests(case, request)}
    choices = [name for name in requests if name not in ("ours", "plain")]
    counted = choices[-1]
    if options.no_ours:
        del requests["ours"]
    with ExitStack() as processes:
        sides: dict[str, Side] = {}
        warm_up = {}
        flops = None

        def start(name: str) -> None:
            command = [str(options.ours.resolve())] if name == "ours" else worker
            environment = KEEP_FREED_MEMORY if name in choices else None
            sides[name] = processes.enter_context(Side(command, options.threads, environment))
            sides[name].ask({"load": requests[name]})
            warm_up[name] = sides[name].ask({"steps": WARM_UP_STEPS})

        # The forms that may not be needed come first, so that large cases do not have all processes in memory at once.
        for name in choices:
            start(name)
        for name in clearly_slower(case, {name: warm_up[name]["seconds"] for name in choices}):
            if name == counted:
                flops = sides[name].ask({"flops": case.period})["flops"]
            sides.pop(name).close()
        for name in requests:
            if name not in choices:
                start(name)
        check_losses(case, {name: answer["losses"] for name, answer in warm_up.items()})

        rounds: dict[str, list[float]] = {name: [] for name in requests if name in sides}
        others = []
        slowest = max(min(warm_up[name]["seconds"]) for name in rounds)
        steps = case.period * max(1, round(options.seconds / slowest / case.period))
        for _ in range(options.rounds):
            for name, seconds in rounds.items():
                time.sleep(SETTLE_SECONDS)
                mean, taken = timed_round(sides[name], steps)
                seconds.append(mean)
                others.append(taken)
        tuned = min((name for name in choices if name in rounds), key=lambda name: statistics.median(rounds[name]))
        kept = {"ours": "ours", "plain": "plain", "tuned": tuned}
        names = {column: name for column, name in kept.items() if name in sides}
        result = {
            "title": case.title,
            "batch": case.batch,
            "steps_per_round": steps,
            "seconds": {column: rounds[name] for column, name in names.items()},
            "others_cores": statistics.fmean(others),
            "peak_bytes": {column: sides[name].peak_bytes() for column, name in names.items()},
            "idle_bytes": {column: sides[name].idle_bytes for column, name in names.items()},
            "first_losses": {column: warm_up[name]["losses"] for column, name in names.items()},
            "tuned_modulation": tuned,
            "warm_up_seconds": {name: answer["seconds"] for name, answer in warm_up.items()},
        }
        # Counted last, as it would raise the peak.
        return {**result, "flops": flops or sides[counted].ask({"flops": case.period})["flops"]}


def processor(widest: str | None) -> str:
    """Name the processor, and what was kept from it."""
    names = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    limit = f", no wider than {widest}" if widest else ""
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores{limit}"


def parse() -> argparse.Namespace:
    """Command-line options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, default=ROOT / "target/release/step-worker", help="the built worker binary")
    parser.add_argument("--no-ours", action="store_true", help="time the two PyTorch sides alone")
    parser.add_argument("--zoo", type=Path, default=ROOT / "weights/zoo/funEmoji/generator.safetensors", help="trained generator")
    parser.add_argument("--lpips", type=Path, help="folder of LPIPS weights, such as weights/features (default: seeded ones)")
    features = ROOT / "weights/features/efficientnet_lite0.safetensors"
    parser.add_argument("--features", type=Path, default=features, help="weights of EfficientNet-lite0")
    parser.add_argument("--work", type=Path, default=ROOT / "target/peer", help="folder for seeded weights and results")
    parser.add_argument("--results", type=Path, help="JSON file of all results (default: WORK/results.json; its own with --widest)")
    parser.add_argument("--case", default="", help="regular expression: only cases whose name matches")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each side")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a round of the slowest side lasts, about")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side")
    parser.add_argument("--widest", choices=sorted(NARROWER), help="widest vector instructions that all sides may use")
    return parser.parse_args()


def main() -> None:
    """Measure the chosen cases and print the table of all results."""
    options = parse()
    # What the workers inherit.
    os.environ.update(NARROWER.get(options.widest, {}))
    # Rows of other vectors are of another table.
    name = f"results-{options.widest}.json" if options.widest else "results.json"
    path = options.results or options.work / name
    results = json.loads(path.read_text()) if path.exists() else {"cases": {}}
    worker = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    for case in CASES:
        if not re.search(options.case, case.name):
            continue
        print(f"{case.title} ...", file=sys.stderr)
        with Side(worker, options.threads) as side:
            roof = side.ask({"roof": options.threads})["flops_per_second"]
        results["cases"][case.name] = {**measure(case, options), "roof": roof}
        results["machine"] = {"processor": processor(options.widest), "threads": options.threads, "rounds": options.rounds}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1))
    print(report.table(results))


if __name__ == "__main__":
    main()
