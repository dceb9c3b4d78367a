"""How near the seconds that `grasp-bench plan` guesses are to those that `grasp-bench run` takes.

    python benchmarks/plan_guess.py [--against FOLDER] > benchmarks/results/plan_guess.json

A line has the guess for some cells, and what these then took by the clock with one worker. `known` says what
had run in that store before. `ratio` is guess / took. `processor` are the seconds of the processor for the
same: what an idle machine takes, where on a busy one the clock says several times as much.

- `demo`: specs/demo.yaml; first nothing is known, then the cells of one seed.
- `beauty`: 1,000 users of amazon-beauty with four enhancers (left out where GRASP_BENCH_DATA does not hold
  it); first nothing is known, then the demo, then `none`.

`--against` names another checkout, which makes the cells instead of this one; then both guess in the same
stores. `load` is the load average when the cells had run.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
BEAUTY = Path(os.environ.get("GRASP_BENCH_DATA", "data")).absolute() / "amazon-beauty"
SAMPLE = f"""\
name: beauty
dataset: {{source: {BEAUTY}, sample_users: 1000}}
encoder:
  kind: precomputed
  users: {BEAUTY}/embeddings-minilm/users.npy
  items: {BEAUTY}/embeddings-minilm/items.npy
model: {{backbone: sasrec, embedding_dim: 64, max_len: 50}}
training: {{batch_size: 128, lr: 1e-3, max_epochs: 10}}
seeds: [1]
compare: {{model.enhancer: [none, llminit, grasp, llmesr]}}
"""

Guess = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """Guesses of all checkouts (the last one runs the cells), with stores and results below `place`."""

    codes: dict[str, Path]
    place: Path

    def guess(self, spec: Path, store: str, only: str = "*") -> Guess:
        """Seconds that `plan` guesses, by checkout."""
        plans = {
            name: json.loads(self._call(code, "plan", spec, store, only, "--format", "json"))
            for name, code in self.codes.items()
        }
        return {name: plan["estimate"]["seconds"] for name, plan in plans.items()}

    def run(self, spec: Path, store: str, only: str = "*") -> np.ndarray:
        """Seconds that `run` takes: by the clock, and of the processor."""
        code, folder = list(self.codes.values())[-1], self.place / store
        began = seconds()
        places = ["--results", str(folder / "results"), "--leaderboard", str(folder / "boards")]
        self._call(code, "run", spec, store, only, *places)
        return seconds() - began

    def _call(self, code: Path, command: str, spec: Path, store: str, only: str, *more: str) -> str:
        words = [command, str(spec), "--store", str(self.place / store / "store"), "--only", only]
        done = subprocess.run(
            [sys.executable, "-m", "grasp_bench", *words, "--workers", "1", "--device", "cpu", *more],
            env=os.environ | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"},
            cwd=self.place, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
        return done.stdout


def seconds() -> np.ndarray:
    """The clock, and the processor's time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def measured(bench: Bench) -> Iterator[tuple[str, str, Guess, np.ndarray]]:
    """Yield the cells, what is known, guesses, and the seconds taken."""
    demo, beauty = REPOSITORY / "specs" / "demo.yaml", bench.place / "beauty.yaml"
    whole, part = bench.guess(demo, "demo"), bench.guess(demo, "demo", "*-s42")
    took = bench.run(demo, "demo", "*-s42")
    yield "demo, one seed", "nothing", part, took
    rest = bench.guess(demo, "demo")
    took_rest = bench.run(demo, "demo")
    yield "demo, all else", "one seed", rest, took_rest
    yield "demo", "nothing", whole, took + took_rest
    if not BEAUTY.is_dir():
        return
    beauty.write_text(SAMPLE, encoding="utf-8")
    whole, part = bench.guess(beauty, "beauty"), bench.guess(beauty, "beauty", "sasrec-none-*")
    after_demo = bench.guess(beauty, "demo")
    took = bench.run(beauty, "beauty", "sasrec-none-*")
    yield "beauty, none", "nothing", part, took
    rest = bench.guess(beauty, "beauty")
    took_rest = bench.run(beauty, "beauty")
    yield "beauty, all else", "none", rest, took_rest
    yield "beauty", "nothing", whole, took + took_rest
    yield "beauty", "demo", after_demo, took + took_rest


def main() -> None:
    """Print a line for each guess."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout")
    against = parser.parse_args().against
    codes = {"": REPOSITORY, **({"_against": against.resolve()} if against is not None else {})}
    with tempfile.TemporaryDirectory() as place:
        for cells, known, guesses, took in measured(Bench(codes, Path(place))):
            line: dict[str, Any] = {"benchmark": "plan_guess", "cells": cells, "known": known}
            line |= {
                "took": round(took[0]),
                "processor": round(took[1]),
                "load": round(os.getloadavg()[0], 1),
            }
            for name, guess in guesses.items():
                line |= {f"guess{name}": round(guess), f"ratio{name}": round(guess / took[0], 2)}
            print(json.dumps(line | {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}), flush=True)


if __name__ == "__main__":
    main()
