"""Seconds that `grasp-bench export runs` takes for 8 runs of 202,000 lines.

    python benchmarks/export_runs.py [--against FOLDER] > benchmarks/results/export_runs.json

A generated dataset of 2,000 users, each with 100 negatives and the target; four enhancers with two seeds,
trained for one epoch, since the export does not depend on what was learnt. Prints a JSON line: the clock, the
seconds of the processor, and the load average at the end. `--against` names another checkout, which exports
the same store first; `same_order` says whether all lists have the same items in the same order.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

REPOSITORY = Path(__file__).resolve().parents[1]
USERS, ITEMS, LENGTH, WIDTH, CLUSTERS = 2_000, 6_000, 9, 384, 200
SPEC = """\
name: large
dataset: {source: shop, min_user: 3, min_item: 1}
encoder: {kind: precomputed, users: users.npy, items: items.npy}
model: {backbone: sasrec, embedding_dim: 64, max_len: 50}
training: {max_epochs: 1}
seeds: [1, 2]
compare: {model.enhancer: [none, llminit, llmesr, grasp]}
controls: []
"""


def generate(place: Path) -> None:
    """Write interactions, random vectors, and the spec."""
    rng = np.random.default_rng(7)
    users = np.repeat(np.arange(USERS), LENGTH)
    # Every item occurs, and no user has one twice.
    items = np.concatenate([rng.permutation(ITEMS) for _ in range(USERS * LENGTH // ITEMS)])
    columns: dict[str, Any] = {
        "user_id": [f"A{user:012d}" for user in users],
        "item_id": [f"B{item:09d}" for item in items],
        "position": np.tile(np.arange(LENGTH), USERS),
    }
    (place / "shop").mkdir()
    pl.DataFrame(columns).write_csv(place / "shop" / "interactions.csv")
    centres = rng.standard_normal((CLUSTERS, WIDTH), dtype=np.float32)
    for name, column in (("users", "user_id"), ("items", "item_id")):
        ids = sorted(set(columns[column]))
        vectors = centres[rng.integers(CLUSTERS, size=len(ids))]
        np.save(place / f"{name}.npy", vectors + rng.standard_normal(vectors.shape, dtype=np.float32))
        (place / f"{name}.ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    (place / "large.yaml").write_text(SPEC, encoding="utf-8")


def call(code: Path, place: Path, *words: str) -> np.ndarray:
    """Run a command of a checkout; return its seconds by the clock and of the processor."""
    began = seconds()
    done = subprocess.run(
        [sys.executable, "-m", "grasp_bench", *words],
        env=os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"},
        cwd=place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return seconds() - began


def order(run: Path) -> list[list[str]]:
    """User, item and rank of each line; the digits of scores depend on how a model was asked."""
    return [line.split()[:4] for line in run.read_text(encoding="utf-8").splitlines()]


def seconds() -> np.ndarray:
    """The clock, and the processor's time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    against = parser.parse_args().against
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        generate(place)
        call(REPOSITORY, place, "run", "large.yaml", "--workers", "1", "--device", "cpu")
        line: dict[str, Any] = {"benchmark": "export_runs"}
        if against is not None:
            took = call(against.resolve(), place, "export", "runs", "large.yaml", "--to", "before")
            line |= {"seconds_against": round(took[0], 1), "processor_against": round(took[1], 1)}
        took = call(REPOSITORY, place, "export", "runs", "large.yaml", "--to", "runs")
        line |= {"seconds": round(took[0], 1), "processor": round(took[1], 1)}
        runs = sorted((place / "runs").glob("*.run"))
        line |= {"runs": len(runs), "lines": [run.read_bytes().count(b"\n") for run in runs]}
        if against is not None:
            line["same_order"] = all(order(run) == order(place / "before" / run.name) for run in runs)
    load = round(os.getloadavg()[0], 1)
    print(json.dumps(line | {"load": load, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}))


if __name__ == "__main__":
    main()
