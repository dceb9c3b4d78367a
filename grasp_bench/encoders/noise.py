"""Put noise on vectors: what a method gains from them must shrink as the noise grows.

One order of the entities is drawn for each seed and side, and noise is put on its first part: rows that are
corrupted at one rate are corrupted at every higher one. Noise on texts uses the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.components import NOISES
from grasp_bench.core.errors import DataError

Rows = NDArray[np.int64]

SIDE_NUMBERS = {"users": 0, "items": 1}  # part of the seed, so that the two sides are independent


def corruption_order(count: int, side: str, seed: int) -> Rows:
    """Return the rows of `side` ("users" or "items") in the order in which they are corrupted, (count,)."""
    return np.random.default_rng([seed, SIDE_NUMBERS[side]]).permutation(count)


def corrupted_rows(count: int, side: str, rate: float, seed: int) -> Rows:
    """Return the rows corrupted at a rate in [0, 1], ascending."""
    return np.sort(corruption_order(count, side, seed)[: corrupted_count(rate, count)])


def corrupted_count(rate: float, count: int) -> int:
    """Return how many of `count` rows are corrupted at a rate."""
    return round(rate * count)


def donor_rows(order: Rows, count: int) -> Rows:
    """Return the rows whose values the first `count` rows of an order get: the next ones, in a circle.

    A row's donor is the same at every rate. A single row keeps its own value.
    """
    return np.roll(order, -1)[:count]


Vectors = NDArray[np.float32]
Codes = NDArray[np.int64]

UNKNOWN = -1  # the code of an entity without a category, which differs from every category
BLOCK = 1 << 24  # cosines at once: 64 MB
VALUES = 2  # part of the seed: separates values from the order of rows, whose seed has two numbers


@dataclass(frozen=True, eq=False)
class NoiseTarget:
    """The vectors to corrupt, and where.

    `vectors` (n, D) of a `side` ("users" or "items"); the first `count` rows of `order` are corrupted. The
    meaning of `strength` depends on the kind; `codes` (n,) are categories, UNKNOWN for none.
    """

    vectors: Vectors
    order: Rows
    count: int
    side: str
    seed: int
    strength: float | None = None
    codes: Codes | None = None

    @property
    def rows(self) -> Rows:
        """The corrupted rows, in the order of the draw."""
        return self.order[: self.count]

    def generator(self) -> np.random.Generator:
        """Return a generator for the rows' values; drawn row by row, they are the same at every rate."""
        return np.random.default_rng([self.seed, SIDE_NUMBERS[self.side], VALUES])


def add_noise(
    vectors: Vectors,
    side: str,
    kind: str,
    rate: float,
    seed: int,
    strength: float | None = None,
    codes: Codes | None = None,
) -> tuple[Vectors, Rows]:
    """Put noise on a share `rate` in [0, 1] of the rows of (n, D) vectors of `side` ("users" or "items").

    Returns the vectors and the corrupted rows, ascending. A row is corrupted in the same way at every higher
    rate. Raises UnknownNameError for a kind that is not in NOISES, DataError for category_flip with fewer
    than two categories.

    Example:
        >>> noisy, rows = add_noise(vectors, "items", "permute", 0.1, seed=42)
    """
    noise = NOISES.implementation(kind)
    order = corruption_order(len(vectors), side, seed)
    target = NoiseTarget(vectors, order, corrupted_count(rate, len(vectors)), side, seed, strength, codes)
    noisy = vectors.copy()
    noisy[target.rows] = noise(target)
    return noisy, np.sort(target.rows)


def permute(target: NoiseTarget) -> Vectors:
    """Give each row the vector of the next one in the order, in a circle.

    At rate 1 all vectors are kept, so that norms, spread and neighbourhoods stay; only their owners change.
    """
    return target.vectors[donor_rows(target.order, target.count)]


def gaussian(target: NoiseTarget) -> Vectors:
    """Add independent normal values, about `strength` times as long as the row."""
    rows, width = target.vectors[target.rows], target.vectors.shape[1]
    drawn = target.generator().standard_normal(rows.shape, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows + drawn * (lengths * (target.strength or 0.0) / np.sqrt(width)).astype(np.float32)


def dropout(target: NoiseTarget) -> Vectors:
    """Set a share `strength` of each row's coordinates, rounded, to 0; keep the largest.

    A zero row would have no direction. The rest is not rescaled, since cosines ignore length.
    """
    rows = target.vectors[target.rows]
    width = rows.shape[1]
    keep = max(1, width - round((target.strength or 0.0) * width))
    marks = target.generator().random(rows.shape, dtype=np.float32)
    largest = np.abs(rows).argmax(axis=1) if width else np.zeros(len(rows), dtype=np.int64)
    marks[np.arange(len(rows)), largest] = -1.0
    dropped = np.argsort(marks, axis=1, kind="stable")[:, keep:]
    np.put_along_axis(rows, dropped, 0.0, axis=1)
    return rows


def category_flip(target: NoiseTarget) -> Vectors:
    """Give each row the nearest vector, by cosine, of an entity of another category."""
    codes = target.codes
    if codes is None or len(np.unique(codes[codes != UNKNOWN])) < 2:
        raise DataError(
            f"noise.kind category_flip: {target.side} have fewer than two categories",
            hint="use another kind, or name the column in dataset.columns.category",
        )
    units = target.vectors / np.maximum(np.linalg.norm(target.vectors, axis=1, keepdims=True), 1e-12)
    nearest = np.empty(target.count, dtype=np.int64)
    for start in range(0, target.count, step := max(1, BLOCK // len(units))):
        rows = target.rows[start : start + step]
        cosines = units[rows] @ units.T
        same = (codes[rows, None] == codes[None, :]) & (codes[rows, None] != UNKNOWN)
        cosines[same | (codes[None, :] == UNKNOWN)] = -np.inf
        cosines[np.arange(len(rows)), rows] = -np.inf
        nearest[start : start + step] = cosines.argmax(axis=1)
    return target.vectors[nearest]
