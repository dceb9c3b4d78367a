"""Searchers by the name that a spec gives them, and which of them `auto` means."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from grasp_bench.core.registry import Registry
from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings

# benchmarks/retrieval.py, D = 384, k = 10, two cores.
CROSSOVER = 40_000


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
