"""Noise on vectors that are there: what a method gains from them has to shrink with it.

Who is hit by noise: one order of the entities for each seed and side, and the first of it at each rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.suggest import did_you_mean

Rows = NDArray[np.int64]

SIDE_NUMBERS = {"users": 0, "items": 1}  # a part of the seed: the two sides are hit independently


def corruption_order(count: int, side: str, seed: int) -> Rows:
    """All rows of `side` ("users" or "items") in the order in which they come to be hit, (count,)."""
    return np.random.default_rng([seed, SIDE_NUMBERS[side]]).permutation(count)


def corrupted_rows(count: int, side: str, rate: float, seed: int) -> Rows:
    """The rows hit at a rate in [0, 1], ascending: who is hit at one rate is hit at every higher one."""
    return np.sort(corruption_order(count, side, seed)[: corrupted_count(rate, count)])


def corrupted_count(rate: float, count: int) -> int:
    """How many of `count` rows are hit at a rate."""
    return round(rate * count)


def donor_rows(order: Rows, count: int) -> Rows:
    """Whose belongings the first `hits` of an order get: those of the next in it, in a circle, (hits,).

    At every rate the same, so that who is hit at two rates is wronged alike at both. One alone keeps his own.
    """
    return np.roll(order, -1)[:count]


Vectors = NDArray[np.float32]
Codes = NDArray[np.int64]

UNKNOWN = -1  # the code of an entity without a category: every category is another one
BLOCK = 1 << 24  # cosines at once: 64 MB
VALUES = 2  # a part of the seed: values are drawn apart from the order of rows, which has two numbers


@dataclass(frozen=True, eq=False)
class NoiseTarget:
    """What noise is put on.

    `vectors` (n, D) of a `side` ("users" or "items"), of which the first `hits` rows of `order` are hit.
    `strength` is the kind's own; `codes` (n,) are categories, UNKNOWN for none, where the kind reads them.
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
        """The rows that are hit, in the order of the draw."""
        return self.order[: self.count]

    def generator(self) -> np.random.Generator:
        """For values of the rows: drawn row by row, they are the same at every rate."""
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

    Returns the vectors and the rows that noise was put on, ascending. One order of the rows is drawn from
    `seed` and the side, and noise is put on the first of it: what is disturbed at a rate is disturbed in the
    same way at every higher one. Raises UnknownNameError for another kind than those of NOISES, DataError for
    flips where all are of one category.
    """
    if kind not in NOISES:
        raise UnknownNameError(
            f"unknown kind of noise '{kind}'{did_you_mean(kind, NOISES)}",
            mend=f"choose one of: {', '.join(NOISES)}",
        )
    order = corruption_order(len(vectors), side, seed)
    target = NoiseTarget(vectors, order, corrupted_count(rate, len(vectors)), side, seed, strength, codes)
    noisy = vectors.copy()
    noisy[target.rows] = NOISES[kind](target)
    return noisy, np.sort(target.rows)


def permute(target: NoiseTarget) -> Vectors:
    """Each gets the vector of the next in the order, in a circle: nobody keeps his own unless alone.

    At rate 1 all vectors are still there, so that norms, spread and neighbourhoods are what they were; only
    whom they belong to is wrong.
    """
    return target.vectors[donor_rows(target.order, target.count)]


def gaussian(target: NoiseTarget) -> Vectors:
    """Add independent normal values; the added vector is about `strength` times as long as the row's own."""
    rows, width = target.vectors[target.rows], target.vectors.shape[1]
    drawn = target.generator().standard_normal(rows.shape, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows + drawn * (lengths * (target.strength or 0.0) / np.sqrt(width)).astype(np.float32)


def dropout(target: NoiseTarget) -> Vectors:
    """Set a share `strength` of each row's coordinates, rounded, to 0; the largest always stays.

    A row of zeros has no direction to search by. The rest is not scaled up: cosines would not notice.
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
    """Each gets the vector of the entity that is nearest to it by cosine among those of other categories."""
    codes = target.codes
    if codes is None or len(np.unique(codes[codes != UNKNOWN])) < 2:
        raise DataError(
            f"noise.kind category_flip: {target.side} have fewer than two categories",
            mend="use another kind, or name the column in dataset.columns.category",
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


NOISES: dict[str, Callable[[NoiseTarget], Vectors]] = {
    "permute": permute,
    "gaussian": gaussian,
    "dropout": dropout,
    "category_flip": category_flip,
}
