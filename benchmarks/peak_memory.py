"""Peak memory of a whole run of specs/beauty_ablation.yaml: parent and all workers together.

    python benchmarks/peak_memory.py [--only '*-s42'] [--workers 2]

Runs the real spec in a store of its own, every stage of it, with one epoch a training: memory does not
grow with epochs. Proportional set size (memory shared by processes counts once) is sampled five times
a second over the process tree. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]


def tree_mib(root: psutil.Process) -> float:
    """Proportional set size of a process and all below it, MiB."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
    return total / 2**20


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="*-s42")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--spec", default=str(REPOSITORY / "specs" / "beauty_ablation.yaml"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = subprocess.Popen(
            [
                sys.executable, "-m", "grasp_bench", "run", arguments.spec, "--set", "training.max_epochs=1",
                "--only", arguments.only, "--workers", str(arguments.workers), "--store", f"{folder}/store",
                "--results", f"{folder}/results", "--leaderboard", f"{folder}/leaderboard",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        peak = 0.0
        while run.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, tree_mib(psutil.Process(run.pid)))
            time.sleep(0.2)
        seconds = time.perf_counter() - started
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    facts = {"benchmark": "peak_memory", "peak_mib": round(peak), "exit_code": run.returncode}
    settings = {"only": arguments.only, "workers": arguments.workers, "seconds": round(seconds)}
    print(json.dumps({**facts, **settings, "machine": machine}))


if __name__ == "__main__":
    main()
