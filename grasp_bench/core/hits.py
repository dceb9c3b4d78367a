"""Who is hit by noise: one order of the entities for each seed and side, and the first of it at each rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

SIDE_NUMBERS = {"users": 0, "items": 1}  # a part of the seed: the two sides are hit independently


def hit_order(count: int, side: str, seed: int) -> Rows:
    """All rows of `side` ("users" or "items") in the order in which they come to be hit, (count,)."""
    return np.random.default_rng([seed, SIDE_NUMBERS[side]]).permutation(count)


def hit_rows(count: int, side: str, rate: float, seed: int) -> Rows:
    """The rows hit at a rate in [0, 1], ascending: who is hit at one rate is hit at every higher one."""
    return np.sort(hit_order(count, side, seed)[: hits_at(rate, count)])


def hits_at(rate: float, count: int) -> int:
    """How many of `count` rows are hit at a rate."""
    return round(rate * count)


def given_to(order: Rows, hits: int) -> Rows:
    """Whose belongings the first `hits` of an order get: those of the next in it, in a circle, (hits,).

    At every rate the same, so that who is hit at two rates is wronged alike at both. One alone keeps his own.
    """
    return np.roll(order, -1)[:hits]
