"""Markdown tables of the results that `run.py` wrote."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import CASES

SIDES = ("ours", "plain", "tuned")
ABSENT = "-"


def _milliseconds(seconds: list[float] | None) -> str:
    if not seconds:
        return ABSENT
    return f"{1e3 * min(seconds):.1f} / {1e3 * statistics.median(seconds):.1f}"


def _ratio(case: dict[str, Any], peer: str) -> str:
    seconds = case["seconds"]
    if "ours" not in seconds:
        return ABSENT
    ratios = (choose(seconds[peer]) / choose(seconds["ours"]) for choose in (min, statistics.median))
    return " / ".join(f"{ratio:.2f}" for ratio in ratios)


def _mebibytes(case: dict[str, Any], side: str) -> str:
    if side not in case["peak_bytes"]:
        return ABSENT
    peak, idle = (case[key][side] / 2**20 for key in ("peak_bytes", "idle_bytes"))
    return f"{peak:.0f} ({peak - idle:.0f})"


def _rows(header: list[str], results: dict[str, Any], cells: Callable[[dict[str, Any]], list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for known in CASES:
        if case := results["cases"].get(known.name):
            lines.append([known.title, *cells(case)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _time_cells(case: dict[str, Any]) -> list[str]:
    floor = case["flops"] / case["roof"]
    distance = min(case["seconds"]["ours"]) / floor if "ours" in case["seconds"] else None
    return [
        *(_milliseconds(case["seconds"].get(side)) for side in SIDES),
        _ratio(case, "plain"),
        _ratio(case, "tuned"),
        f"{case['flops'] / 1e9:.2f}",
        f"{1e3 * floor:.1f}",
        ABSENT if distance is None else f"{distance:.1f}",
    ]


def _memory_cells(case: dict[str, Any]) -> list[str]:
    others = case.get("others_cores")
    taken = ABSENT if others is None else f"{others:.2f}"
    return [*(_mebibytes(case, side) for side in SIDES), case["tuned_modulation"], taken]


def table(results: dict[str, Any]) -> str:
    """Lay out times (minimum / median) with ratios and floors, then peak memory (in brackets: what the case added).

    The last column is how many cores other processes had during the rounds, in the mean; a row is worth little where it is not near 0.
    """
    times = _rows(
        ["case", "ours ms", "plain ms", "tuned ms", "plain / ours", "tuned / ours", "GFLOP", "floor ms", "ours / floor"],
        results,
        _time_cells,
    )
    memory = _rows(["case", "ours MiB", "plain MiB", "tuned MiB", "tuned form", "cores of others"], results, _memory_cells)
    return f"{times}\n\n{memory}\n"


if __name__ == "__main__":
    print(table(json.loads(Path(sys.argv[1]).read_text())))
