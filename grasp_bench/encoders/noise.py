"""Noise on vectors that are there: what a method gains from them has to shrink with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError, UnknownNameError
from grasp_bench.core.hits import SIDE_NUMBERS, Rows, given_to, hit_order, hits_at
from grasp_bench.core.suggest import did_you_mean

Vectors = NDArray[np.float32]
Codes = NDArray[np.int64]

UNKNOWN = -1  # the code of an entity without a category: every category is another one
BLOCK = 1 << 24  # cosines at once: 64 MB
VALUES = 2  # a part of the seed: values are drawn apart from the order of rows, which has two numbers


@dataclass(frozen=True, eq=False)
class Disturbance:
    """What noise is put on.

    `vectors` (n, D) of a `side` ("users" or "items"), of which the first `hits` rows of `order` are hit.
    `strength` is the kind's own; `codes` (n,) are categories, UNKNOWN for none, where the kind reads them.
    """

    vectors: Vectors
    order: Rows
    hits: int
    side: str
    seed: int
    strength: float | None = None
    codes: Codes | None = None

    @property
    def rows(self) -> Rows:
        """The rows that are hit, in the order of the draw."""
        return self.order[: self.hits]

    def generator(self) -> np.random.Generator:
        """For values of the rows: drawn row by row, they are the same at every rate."""
        return np.random.default_rng([self.seed, SIDE_NUMBERS[self.side], VALUES])


def disturb(
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
    order = hit_order(len(vectors), side, seed)
    to = Disturbance(vectors, order, hits_at(rate, len(vectors)), side, seed, strength, codes)
    disturbed = vectors.copy()
    disturbed[to.rows] = NOISES[kind](to)
    return disturbed, np.sort(to.rows)


def permute(to: Disturbance) -> Vectors:
    """Each gets the vector of the next in the order, in a circle: nobody keeps his own unless alone.

    At rate 1 all vectors are still there, so that norms, spread and neighbourhoods are what they were; only
    whom they belong to is wrong.
    """
    return to.vectors[given_to(to.order, to.hits)]


def gaussian(to: Disturbance) -> Vectors:
    """Add independent normal values; the added vector is about `strength` times as long as the row's own."""
    rows, width = to.vectors[to.rows], to.vectors.shape[1]
    drawn = to.generator().standard_normal(rows.shape, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows + drawn * (lengths * (to.strength or 0.0) / np.sqrt(width)).astype(np.float32)


def dropout(to: Disturbance) -> Vectors:
    """Set a share `strength` of each row's coordinates, rounded, to 0; the largest always stays.

    A row of zeros has no direction to search by. The rest is not scaled up: cosines would not notice.
    """
    rows = to.vectors[to.rows]
    width = rows.shape[1]
    keep = max(1, width - round((to.strength or 0.0) * width))
    marks = to.generator().random(rows.shape, dtype=np.float32)
    largest = np.abs(rows).argmax(axis=1) if width else np.zeros(len(rows), dtype=np.int64)
    marks[np.arange(len(rows)), largest] = -1.0
    dropped = np.argsort(marks, axis=1, kind="stable")[:, keep:]
    np.put_along_axis(rows, dropped, 0.0, axis=1)
    return rows


def category_flip(to: Disturbance) -> Vectors:
    """Each gets the vector of the entity that is nearest to it by cosine among those of other categories."""
    codes = to.codes
    if codes is None or len(np.unique(codes[codes != UNKNOWN])) < 2:
        raise DataError(
            f"noise.kind category_flip: {to.side} have fewer than two categories",
            mend="use another kind, or name the column in dataset.columns.category",
        )
    units = to.vectors / np.maximum(np.linalg.norm(to.vectors, axis=1, keepdims=True), 1e-12)
    nearest = np.empty(to.hits, dtype=np.int64)
    for start in range(0, to.hits, step := max(1, BLOCK // len(units))):
        rows = to.rows[start : start + step]
        cosines = units[rows] @ units.T
        same = (codes[rows, None] == codes[None, :]) & (codes[rows, None] != UNKNOWN)
        cosines[same | (codes[None, :] == UNKNOWN)] = -np.inf
        cosines[np.arange(len(rows)), rows] = -np.inf
        nearest[start : start + step] = cosines.argmax(axis=1)
    return to.vectors[nearest]


NOISES: dict[str, Callable[[Disturbance], Vectors]] = {
    "permute": permute,
    "gaussian": gaussian,
    "dropout": dropout,
    "category_flip": category_flip,
}
