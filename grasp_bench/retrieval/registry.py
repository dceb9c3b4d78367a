"""Searchers by the name that a spec gives them, and which of them `auto` means."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from grasp_bench.core.registry import Registry
from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings

# benchmarks/results/retrieval*.json (D = 384, N = 10, the default graph built by one thread, two busy cores),
# seconds of exact search and hnsw: 21 and 80 at 40,000 entities, 76 and 72 at 60,000, 106 and 114 at 80,000,
# 212 and 195 at 120,000. About level from 60,000 on, where hnsw has recall 0.996 and exact misses nothing.
CROSSOVER = 80_000


class Searcher(Protocol):
    """Finds the nearest others of all rows among themselves: self excluded by number, ties by number."""

    def __init__(self, settings: SearchSettings) -> None: ...

    def search(self, units: np.ndarray, progress: Progress = ...) -> Neighbours:
        """Neighbours of (n, D) float32 unit vectors; `progress` is told how many rows are done."""
        ...


SEARCHERS = Registry[type[Searcher]](
    "index kind",
    {
        "exact": "grasp_bench.retrieval.exact:ExactSearcher",
        "hnsw": "grasp_bench.retrieval.hnsw:HnswSearcher",
    },
)


def resolve_kind(kind: str, n: int) -> str:
    """`auto` is exact search below CROSSOVER entities, where it is also the faster one; hnsw above."""
    if kind != "auto":
        return kind
    return "exact" if n < CROSSOVER else "hnsw"
