"""Where hnsw begins to beat exact search, and what it misses.

    python benchmarks/retrieval.py [--sizes 10000 20000 40000 80000] [--threads 2]

Vectors: the MiniLM embeddings of amazon-beauty (D = 384, 34,464 of both sides, shuffled), beyond their number
continued by copies moved a little. All rows query, N = 10, the spec's default graph; both searchers in turn
at each size. Prints one JSON line; its `crossover` is null when one searcher wins at every size, and
`CROSSOVER` in grasp_bench/retrieval/registry.py is then the largest size that was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

# Before torch is imported: waiting threads sleep instead of taking the other threads' core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from grasp_bench.components import SEARCHERS
from grasp_bench.retrieval.exact import recall_at_n
from grasp_bench.retrieval.neighbours import SearchSettings, unit_vectors
from grasp_bench.spec.index import Index

DATA = Path(os.environ.get("GRASP_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
JITTER = 0.3  # length of the step that turns a copy into a neighbour of its original


def beauty_vectors(count: int) -> np.ndarray:
    """Unit vectors (count, 384), the same for every call."""
    folder = DATA / "amazon-beauty" / "embeddings-minilm"
    real = np.concatenate([np.load(folder / f"{side}.npy").astype(np.float32) for side in ("items", "users")])
    rng = np.random.default_rng(42)
    rng.shuffle(real)
    copies = np.resize(np.arange(len(real)), count)
    vectors = real[copies]
    step = rng.normal(size=(max(0, count - len(real)), real.shape[1])).astype(np.float32)
    vectors[len(real) :] += JITTER * step / np.sqrt(real.shape[1])
    return unit_vectors(vectors)


def measure(units: np.ndarray, settings: SearchSettings) -> dict[str, float | int | None]:
    """Seconds of both searchers on the same vectors, and recall@N of the graph."""
    found: dict[str, float | int | None] = {"n": len(units)}
    for kind in ("exact", "hnsw"):
        started = time.perf_counter()
        table = SEARCHERS.implementation(kind)(settings).search(units)
        found[f"{kind}_s"] = round(time.perf_counter() - started, 2)
    recall = recall_at_n(units, table.indices, sample=1000, seed=42)
    return {**found, "recall": None if recall is None else round(recall, 4)}


def crossover(rows: list[dict[str, float | int | None]]) -> int | None:
    """Size at which both take equally long, between the two measured around it (log-log interpolation)."""
    sizes = np.log([row["n"] for row in rows])  # type: ignore[arg-type]
    gap = np.log([row["exact_s"] / row["hnsw_s"] for row in rows])  # type: ignore[operator]
    above = np.flatnonzero(gap > 0)
    if len(above) == 0 or above[0] == 0:
        return None
    left, right = above[0] - 1, above[0]
    share = -gap[left] / (gap[right] - gap[left])
    return int(np.exp(sizes[left] + share * (sizes[right] - sizes[left])))


def main() -> None:
    """Measure every size and print the line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000, 40_000, 80_000])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    index = Index()
    settings = SearchSettings(
        index.num_neighbours, index.m, index.ef_construction, index.ef_search, index.seed, args.threads
    )
    rows = [measure(beauty_vectors(size), settings) for size in sorted(args.sizes)]
    print(
        json.dumps(
            {
                "benchmark": "retrieval",
                "crossover": crossover(rows),
                "sizes": rows,
                "dim": 384,
                "num_neighbours": settings.num_neighbours,
                "graph": {
                    "m": index.m,
                    "ef_construction": index.ef_construction,
                    "ef_search": index.ef_search,
                },
                "threads": args.threads,
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            }
        )
    )


if __name__ == "__main__":
    main()
