"""The neighbour table, and what every searcher is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grasp_bench.retrieval.ordering import NOBODY

Progress = Callable[[int], None]


def no_progress(done: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class SearchSettings:
    """`num_neighbours` is the paper's N; the graph's keys are read by hnsw alone."""

    num_neighbours: int = 10
    m: int = 32
    ef_construction: int = 200
    ef_search: int = 128
    seed: int = 42
    threads: int = 1
    device: str = "cpu"
    memory_mb: int = 512


@dataclass(frozen=True)
class Neighbours:
    """Nearest others of each of n entities, nearest first.

    `indices` (n, N) int32, -1 where there are fewer than N others; `similarities` (n, N) float32
    cosines, 0 where the index is -1.
    """

    indices: np.ndarray
    similarities: np.ndarray

    @classmethod
    def nobody(cls, n: int, width: int) -> Neighbours:
        """A table in which nobody has a neighbour yet."""
        return cls(np.full((n, width), NOBODY, dtype=np.int32), np.zeros((n, width), dtype=np.float32))
