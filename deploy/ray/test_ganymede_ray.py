"""The index of the zoo on a local Ray of two workers, one of which is killed, against the index that one process builds.

    python deploy/ray/test_ganymede_ray.py [target/release/examples/index]
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/examples/index").resolve())
# Enough samples that a task takes seconds, in features of a size that a test can afford.
SAMPLING = ["--samples", "96", "--features-side", "32"]
MERGING = ["--dimension", "16", "--ridge", "1e-4"]


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True)


def workers():
    """Processes that run a task, whose title Ray sets to the task's name."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cmdline").read_bytes().startswith(b"ray::ganymede index"):
                found.append(int(process.name))
        except OSError:
            pass  # It has ended.
    return found


class Index(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.zoo = self.folder / "zoo"
        leave = shutil.ignore_patterns("index.*", "data", "render", "samples.png", "discriminator.safetensors", "base")
        shutil.copytree(ROOT / "weights/zoo", self.zoo, ignore=leave)

    def index(self):
        """The index and the record beside it, which then make room for the next."""
        files = [self.zoo / "index.ganymede", self.zoo / "index.toml"]
        contents = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return contents

    def test_a_killed_worker_and_a_repeated_shard_change_nothing(self):
        zoo = ["--zoo", str(self.zoo)]
        run(PROGRAM, "build", *zoo, "--moments", str(self.folder / "moments"), *SAMPLING, *MERGING)
        whole = self.index()

        parts = self.folder / "parts"
        driver = subprocess.Popen(
            [sys.executable, str(HERE / "ganymede_ray.py"), "index", "--program", PROGRAM, *zoo]
            + ["--parts", str(parts), "--models-per-task", "4", "--fan-in", "4", "--", *SAMPLING, *MERGING],
            # Two workers, whatever the machine has.
            env=os.environ | {"RAY_ADDRESS": "local", "RAY_OVERRIDE_RESOURCES": '{"CPU": 2}'},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(driver.kill)
        killed = None
        while killed is None and driver.poll() is None:
            # In the middle: a part is there, and others are to come.
            if list(parts.glob("*.part.safetensors")) and (found := workers()):
                killed = found[0]
                os.kill(killed, signal.SIGKILL)
            time.sleep(0.05)
        output, _ = driver.communicate(timeout=150)
        self.assertEqual(driver.returncode, 0, output)
        self.assertIsNotNone(killed, output)
        self.assertEqual(self.index(), whole)
        made = sorted(file.name for file in parts.glob("*.part.safetensors"))
        self.assertEqual(len(made), 7)
        self.assertEqual(len(list(parts.glob("level-1/*.part.safetensors"))), 2)

        again = ["--parts", str(parts), "--moments", str(self.folder / "again"), *SAMPLING]
        run(PROGRAM, "build", *zoo, "--shard", "3/7", *again)
        self.assertEqual(sorted(file.name for file in parts.glob("*.part.safetensors")), made)
        run(PROGRAM, "merge", str(parts), *zoo, *MERGING)
        self.assertEqual(self.index(), whole)

        for file in parts.glob("*.part.safetensors"):
            file.unlink()
            break
        refused = subprocess.run([PROGRAM, "merge", str(parts), *zoo], capture_output=True, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("are in none of them", refused.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
