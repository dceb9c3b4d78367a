"""The neighbour table and its settings, searchers by name, and search within groups of entities.

Cosines of equal vectors differ in the last bits with the position of a row in a block. All searchers
therefore compare similarities rounded to 2⁻²⁰ and order equal ones by entity number, so that their results
agree and rounding does not decide the order of cloned users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from grasp_bench.components import SEARCHERS
from grasp_bench.core.errors import DataError

Progress = Callable[[int], None]

RESOLUTION = float(2**20)
NOBODY = -1
BLOCK_BYTES = 64 * 2**20


def no_progress(done: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class SearchSettings:
    """Settings of a search; `num_neighbours` is the paper's N, and hnsw alone reads the graph's keys."""

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
        """An empty table."""
        return cls(np.full((n, width), NOBODY, dtype=np.int32), np.zeros((n, width), dtype=np.float32))


def rounded(similarities: Tensor) -> Tensor:
    """Round similarities to whole multiples of 2⁻²⁰ (int64)."""
    return (similarities.double() * RESOLUTION).round_().long()


def nearest_first(indices_BK: Tensor, similarities_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Order each row by rounded similarity, descending, then by entity number, ascending."""
    by_index = indices_BK.argsort(dim=1)
    indices_BK, similarities_BK = indices_BK.gather(1, by_index), similarities_BK.gather(1, by_index)
    order = rounded(similarities_BK).argsort(dim=1, descending=True, stable=True)
    return indices_BK.gather(1, order), similarities_BK.gather(1, order)


def unit_vectors(vectors: np.ndarray, ids: Sequence[str] | None = None) -> np.ndarray:
    """Scale rows of (n, D) to unit norm, float32, as a copy.

    Raises DataError for NaN and zero vectors, which hnswlib accepts silently, naming the first such entity
    (`ids`, else its number).
    """
    if vectors.ndim != 2 or vectors.shape[0] == 0 or vectors.shape[1] == 0:
        raise DataError(
            f"embeddings of shape {vectors.shape}: (entities, dimensions) expected, none of them 0"
        )
    units = np.array(vectors, dtype=np.float32, order="C")
    step = max(1, BLOCK_BYTES // (units.shape[1] * 8))
    for start in range(0, len(units), step):
        block = units[start : start + step]
        norms = np.linalg.norm(block.astype(np.float64), axis=1)
        bad = ~np.isfinite(norms) | (norms == 0)
        if bad.any():
            k = start + int(np.flatnonzero(bad)[0])
            name = f"'{ids[k]}'" if ids is not None else f"number {k}"
            what = "is zero" if norms[k - start] == 0 else "is not finite"
            raise DataError(
                f"the embedding of entity {name} {what}: it has no cosine to anything",
                hint="encode again, or correct the precomputed vectors",
            )
        block /= norms[:, None].astype(np.float32)
    return units


def pooled_means(vectors: np.ndarray, indices: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """Mean of the embeddings of existing neighbours, Ū and Ī of the paper's eq. 2, (rows, D) float32.

    `vectors` (n, D), `indices` (rows, N) with -1 for nobody. An entity without neighbours gets its own
    embedding, which has the scale of the others; a zero vector would be scored as if it meant something.
    `own` (q, D) are the rows' own embeddings if rows are not the entities. Blocks bound the memory.
    """
    own = vectors if own is None else own
    n, dim = own.shape
    pooled = np.empty((n, dim), dtype=np.float32)
    step = max(1, BLOCK_BYTES // (4 * dim))
    for start in range(0, n, step):
        block = indices[start : start + step]
        total = np.zeros((len(block), dim), dtype=np.float32)
        for column in block.T:
            there = column != NOBODY
            total[there] += vectors[column[there]]
        count = (block != NOBODY).sum(axis=1)
        alone = count == 0
        total[alone] = own[start : start + step][alone]
        pooled[start : start + step] = total / np.maximum(count, 1)[:, None].astype(np.float32)
    return pooled


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
