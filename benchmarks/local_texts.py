"""Texts per second of a language model in this process: many in flight against one after the other.

    python benchmarks/local_texts.py > benchmarks/results/local_texts.json

SmolLM2 (`local/smollm2`) writes at most 96 tokens about items of amazon-beauty, greedily, on one core. Both
sides run in one process after another; the prompts of the first are among those of the second.
"""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import polars as pl
import torch

from grasp_bench.services.local_batches import Batch
from grasp_bench.services.local_model import LocalModel, Prompt, Written

DATA = Path(os.environ.get("GRASP_BENCH_DATA", "../shared/data"))
SYSTEM = "Write two sentences about what the product is for and who would like it."
MOST = 96
SIDES = {1: 8, 32: 96}  # requests in flight: texts


def measured(model: LocalModel, prompts: list[list[int]], in_flight: int) -> dict[str, float]:
    """Write a text for each prompt, with so many in flight, as `concurrency` does."""
    batch, left, done = Batch(model), list(prompts), list[Written]()

    def refuse(error: Exception) -> None:
        raise error

    def ask() -> None:
        if left:
            batch.add(Prompt(left.pop(0), MOST), answered, refuse)

    def answered(written: Written) -> None:
        done.append(written)
        ask()

    for _ in range(in_flight):
        ask()
    began = time.perf_counter()
    while batch.busy:
        batch.step()
    seconds = time.perf_counter() - began
    return {
        "texts": len(done),
        "seconds": round(seconds, 2),
        "texts_per_second": round(len(done) / seconds, 3),
        "tokens_per_second": round(sum(each.tokens for each in done) / seconds, 1),
    }


def main() -> None:
    """Print both sides and their ratio as JSON."""
    torch.set_num_threads(1)
    model = LocalModel("smollm2")
    titles = pl.read_csv(DATA / "amazon-beauty/items.csv", n_rows=200)["title"].drop_nulls()
    system = {"role": "system", "content": SYSTEM}
    prompts = [model.encode([system, {"role": "user", "content": title}]) for title in titles]
    found = {str(count): measured(model, prompts[:texts], count) for count, texts in SIDES.items()}
    first, last = (found[str(count)]["texts_per_second"] for count in SIDES)
    said: dict[str, Any] = {"model": "local/smollm2", "dtype": str(model.dtype), "in_flight": found}
    said |= {"times": round(last / first, 2), "machine": platform.processor(), "load": os.getloadavg()[0]}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
