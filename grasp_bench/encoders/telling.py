"""What is given to an encoder for each entity, and what entities get of which there is nothing to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.core.errors import DataError


@dataclass(frozen=True)
class Told:
    """The entities that have a text: their rows among all, their names, and the texts with their prefix."""

    rows: np.ndarray
    names: list[str]
    texts: list[str]


def tell(prefix: str, side: str, ids: Sequence[str], texts: Sequence[str]) -> Told:
    """Put the prefix before each text; blank texts are left out, prefix or not.

    Raises DataError when all texts are blank.
    """
    rows = [row for row, text in enumerate(texts) if text and not text.isspace()]
    if not rows:
        raise DataError(
            f"all {len(texts)} texts of {side} are empty: there is nothing to encode",
            mend="look at the text source: a template of known columns never comes out empty",
        )
    return Told(np.asarray(rows), [ids[row] for row in rows], [prefix + texts[row] for row in rows])


def fill_with_mean(vectors: np.ndarray, rows: np.ndarray, count: int, unit_norm: bool) -> np.ndarray:
    """Spread (k, D) vectors over `count` rows; the others get their mean, scaled to unit norm if asked.

    The mean says nothing of an entity and lies amid all others, so it is the least that can be claimed.
    Raises DataError when the mean is zero and a norm was asked for.
    """
    if len(rows) == count:
        return vectors
    mean = vectors.mean(axis=0, dtype=np.float64)
    if unit_norm:
        length = float(np.linalg.norm(mean))
        if length == 0:
            raise DataError(
                f"{count - len(rows)} of {count} entities have no vector, and the mean of the others is zero",
                mend="give them vectors or texts of their own",
            )
        mean /= length
    filled = np.empty((count, vectors.shape[1]), dtype=np.float32)
    filled[:] = mean
    filled[rows] = vectors
    return filled
