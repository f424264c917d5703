#!/usr/bin/env python3
"""Runs Ganymede's programs on a Ray cluster, a shard to a task.

    ganymede_ray.py index --program BIN/index --zoo ZOO --parts DIR [-- OPTIONS OF `index build`]
    ganymede_ray.py shards COUNT -- PROGRAM OPTIONS

The first builds the index of a folder of models: tasks sample a few models each, and a tree of merges makes their parts one index. The second runs any
program that takes --shard I/N. All machines see the same files under the same paths. A unit of work writes one file, whole or not at all, whose name
and bytes follow from its content. So a task that died is simply run again, and one that was run twice does no harm.
"""

import argparse
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import ray


class Failed(RuntimeError):
    """A program ended with an error that running it again does not mend."""


class Lost(RuntimeError):
    """A program was ended by a signal, as by the system when memory ran out."""


def run_program(command, threads):
    """Runs a program and gives what it wrote as JSON; its last words become the error's text."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        child = subprocess.Popen(
            [*command, "--json", str(result)],
            env=os.environ | {"RAYON_NUM_THREADS": str(threads)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = child.communicate()
        except BaseException:
            # A task that is cancelled takes its program along, which saves what it has first.
            child.send_signal(signal.SIGINT)
            child.communicate()
            raise
        if child.returncode < 0:
            raise Lost(f"{' '.join(command)}: signal {-child.returncode}\n{output[-2000:]}")
        if child.returncode > 0:
            raise Failed(f"{' '.join(command)}: exit status {child.returncode}\n{output[-2000:]}")
        return json.loads(result.read_text()) if result.is_file() else None


def remote(arguments):
    """The function as a task: Ray runs it again where its worker, its machine or its program was lost, and not where the program refused."""
    return ray.remote(run_program).options(
        num_cpus=arguments.cpus,
        num_gpus=arguments.gpus,
        max_retries=arguments.retries,
        retry_exceptions=[Lost],
        name=arguments.task,
    )


def finished(tasks, what):
    """The tasks' results in their order, with a bar on standard error meanwhile."""
    start, waiting = time.monotonic(), list(tasks)
    show_progress(what, 0, len(tasks), start)
    while waiting:
        done, waiting = ray.wait(waiting, timeout=10)
        ray.get(done)  # An error ends the run at once; parts that were written are there for the next one.
        show_progress(what, len(tasks) - len(waiting), len(tasks), start)
    return ray.get(tasks)


def show_progress(what, done, count, start):
    seconds = time.monotonic() - start
    left = f", {seconds / done * (count - done):.0f} s left" if done else ""
    bar = ("#" * (30 * done // max(count, 1))).ljust(30, ".")
    ends = "\n" if done == count or not sys.stderr.isatty() else ""
    print(f"\r{what} [{bar}] {done}/{count} after {seconds:.0f} s{left}   ", end=ends, file=sys.stderr, flush=True)


def models_of(zoo):
    """How many models a folder has; the program decides which they are, this only how many tasks are worth it."""
    return sum((folder / "generator.safetensors").is_file() for folder in pathlib.Path(zoo).iterdir())


# What fits components to the features is the merge's business; where to compute and where weights are is that of both.
MERGES, BOTH = ("--dimension", "--ridge"), ("--device", "--weights", "--features-file")


def divided(options):
    """The options of `build`, as those of sampling and those of the merge that ends it."""
    sampling, merging, words = [], [], iter(options)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in MERGES + BOTH:
            sampling.append(word)
            continue
        pair = [name, value if equals else next(words, "")]
        merging += pair
        if name in BOTH:
            sampling += pair
    return sampling, merging


def build_index(arguments):
    count = max(1, math.ceil(models_of(arguments.zoo) / arguments.models_per_task))
    parts = pathlib.Path(arguments.parts)
    sample = [arguments.program, "build", "--zoo", arguments.zoo, "--parts", str(parts), "--moments", str(parts / "moments")]
    sampling, merged_by = divided(arguments.options)
    task = remote(arguments)
    tasks = [task.remote([*sample, "--shard", f"{i}/{count}", *sampling], arguments.cpus) for i in range(1, count + 1)]
    written = [result["part"] for result in finished(tasks, "sampling")]

    merge = [arguments.program, "merge"]
    if len(written) > arguments.fan_in:
        # One level: whoever writes a part has all of it in memory.
        into = str(parts / "level-1")
        groups = [written[i : i + arguments.fan_in] for i in range(0, len(written), arguments.fan_in)]
        tasks = [task.remote([*merge, *group, "--into", into], arguments.cpus) for group in groups]
        written = [result["part"] for result in finished(tasks, "merging")]
    final = task.remote([*merge, *written, "--zoo", arguments.zoo, *merged_by], arguments.cpus)
    (built,) = finished([final], "the index")
    print(f"{built['index']}: {built['models']} models, {built['dimension']} dimensions, {built['bytes']} bytes")


def run_shards(arguments):
    if not arguments.options:
        sys.exit("name a program behind --, such as: shards 8 -- target/release/examples/study_inversion --zoo ZOO")
    task = remote(arguments)
    shards = [[*arguments.options, "--shard", f"{i}/{arguments.count}"] for i in range(1, arguments.count + 1)]
    finished([task.remote(shard, arguments.cpus) for shard in shards], "shards")


def parse(words):
    # What follows a lone -- belongs to the program.
    own, options = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="Ray's address [default: that of the environment, else a cluster on this machine]")
    parser.add_argument("--cpus", type=int, default=1, help="processors of a task [1]")
    parser.add_argument("--gpus", type=float, default=0, help="graphics processors of a task, 0.25 for four tasks on one [0]")
    parser.add_argument("--retries", type=int, default=3, help="how often a lost task is run again [3]")
    kinds = parser.add_subparsers(dest="kind", required=True)
    index = kinds.add_parser("index", help="build the index of a folder of models")
    index.add_argument("--program", required=True, help="the built example `index`")
    index.add_argument("--zoo", required=True, help="folder of models, where the index goes")
    index.add_argument("--parts", required=True, help="folder for parts, on a disk that all machines share")
    index.add_argument("--models-per-task", type=int, default=4, help="[4]")
    index.add_argument("--fan-in", type=int, default=64, help="parts that one merge takes [64]")
    shards = kinds.add_parser("shards", help="run a program that takes --shard I/N")
    shards.add_argument("count", type=int)
    arguments = parser.parse_args(own)
    arguments.options = options
    arguments.task = f"ganymede {arguments.kind}"
    return arguments


def main():
    arguments = parse(sys.argv[1:])
    ray.init(address=arguments.address, log_to_driver=False)
    try:
        {"index": build_index, "shards": run_shards}[arguments.kind](arguments)
    except ray.exceptions.RayTaskError as error:
        sys.exit(str(error.cause))


if __name__ == "__main__":
    main()
