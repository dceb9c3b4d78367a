"""Noise on vectors that are there: what a method gains from them has to shrink with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.suggest import did_you_mean

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

SIDE_NUMBERS = {"users": 0, "items": 1}  # a part of the seed: the two sides are disturbed independently


def disturb(vectors: Vectors, side: str, kind: str, rate: float, seed: int) -> tuple[Vectors, Rows]:
    """Put noise on a share `rate` in [0, 1] of the rows of (n, D) vectors of `side` ("users" or "items").

    Returns the vectors and the rows that noise was put on, ascending. One order of the rows is drawn from
    `seed` and the side, and noise is put on the first of it: what is disturbed at a rate is disturbed at
    every higher one too. Raises UnknownNameError for another kind than those of NOISES.
    """
    if kind not in NOISES:
        raise UnknownNameError(
            f"unknown kind of noise '{kind}'{did_you_mean(kind, NOISES)}",
            mend=f"choose one of: {', '.join(NOISES)}",
        )
    order = np.random.default_rng([seed, SIDE_NUMBERS[side]]).permutation(len(vectors))
    chosen = order[: round(rate * len(vectors))]
    return NOISES[kind](vectors, chosen), np.sort(chosen)


def permute(vectors: Vectors, chosen: Rows) -> Vectors:
    """Each chosen row gets the vector of the next one, in a circle: nobody keeps his own unless alone.

    All vectors are still there, so that norms, spread and neighbourhoods are what they were; only whom they
    belong to is wrong.
    """
    permuted = vectors.copy()
    permuted[chosen] = vectors[np.roll(chosen, -1)]
    return permuted


NOISES: dict[str, Callable[[Vectors, Rows], Vectors]] = {"permute": permute}
