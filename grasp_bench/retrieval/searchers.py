"""Searchers by name, and search within groups of entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from grasp_bench.components import SEARCHERS
from grasp_bench.retrieval.neighbours import NOBODY, Neighbours, Progress, SearchSettings, no_progress

# benchmarks/results/retrieval*.json (D = 384, N = 10, the default graph built by one thread, two busy cores),
# seconds of exact search and hnsw: 21 and 80 at 40,000 entities, 76 and 72 at 60,000, 106 and 114 at 80,000,
# 212 and 195 at 120,000. About level from 60,000 on, where hnsw has recall 0.996 and exact misses nothing.
CROSSOVER = 80_000

UNGROUPED = -1


class Searcher(Protocol):
    """Finds the nearest others of all rows; self is excluded and ties are ordered by number."""

    def __init__(self, settings: SearchSettings) -> None: ...

    def search(self, units: np.ndarray, progress: Progress = ...) -> Neighbours:
        """Find the neighbours of (n, D) float32 unit vectors; calls `progress` with the rows done."""
        ...


def resolve_kind(kind: str, n: int) -> str:
    """Resolve `auto` to exact search below CROSSOVER entities, where it is faster, and hnsw above."""
    if kind != "auto":
        return kind
    return "exact" if n < CROSSOVER else "hnsw"


def group_codes(values: Sequence[str | None]) -> np.ndarray:
    """Number groups by first appearance, (n,) int64; None and blank values are in no group (-1)."""
    numbers: dict[str, int] = {}
    codes = np.full(len(values), UNGROUPED, dtype=np.int64)
    for row, value in enumerate(values):
        if value is not None and value.strip():
            codes[row] = numbers.setdefault(value, len(numbers))
    return codes


def search_within_groups(
    kind: str,
    settings: SearchSettings,
    units: np.ndarray,
    codes: np.ndarray,
    progress: Progress = no_progress,
) -> Neighbours:
    """Find neighbours within the same group; an entity without a group, or alone in it, has none.

    `kind` is resolved by the size of each group. Rows of groups smaller than N + 1 end in -1.
    """
    found = Neighbours.nobody(len(units), settings.num_neighbours)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order[0]] - 1))
    done = 0
    for members in np.split(order, starts[1:]):
        done += len(members)
        if codes[members[0]] != UNGROUPED and len(members) > 1:
            searcher = SEARCHERS.implementation(resolve_kind(kind, len(members)))(settings)
            # Members ascend, so the order of ties by number carries over.
            within = searcher.search(units[members])
            known = within.indices != NOBODY
            found.indices[members] = np.where(known, members[within.indices], NOBODY)
            found.similarities[members] = within.similarities
        progress(done)
    return found
