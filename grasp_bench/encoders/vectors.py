"""Select the texts to encode; check, normalise, fill and reduce the vectors of entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import principal_directions
from grasp_bench.core.errors import DataError
from grasp_bench.spec.encoder import Reduction

BLOCK_ROWS = 65_536


def normalize(vectors: np.ndarray) -> None:
    """Scale the rows of (n, D) floats to unit norm in place; zero and non-finite rows stay unchanged."""
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        block /= np.where(np.isfinite(norms) & (norms > 0), norms, 1)


NORM_TOLERANCE = 1e-3


def check_vectors(vectors: np.ndarray, ids: Sequence[str], unit_norm: bool) -> None:
    """Raise DataError naming the first entity whose vector is not finite, zero, or off unit norm."""
    if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] == 0:
        raise DataError(
            f"embeddings of shape {vectors.shape} for {len(ids)} entities",
            hint="give one vector, of at least one dimension, per entity",
        )
    for start in range(0, len(ids), BLOCK_ROWS):
        norms = np.linalg.norm(vectors[start : start + BLOCK_ROWS].astype(np.float64), axis=1)
        _refuse(~np.isfinite(norms), ids, start, "holds NaN or infinity")
        _refuse(norms == 0, ids, start, "is zero: it has no cosine to anything")
        if unit_norm:
            _refuse(np.abs(norms - 1) > NORM_TOLERANCE, ids, start, "is not of unit norm")


def _refuse(bad: np.ndarray, ids: Sequence[str], start: int, what: str) -> None:
    if bad.any():
        first = ids[start + int(np.flatnonzero(bad)[0])]
        raise DataError(
            f"the embedding of '{first}' {what} (and {int(bad.sum()) - 1} others)",
            hint="make the vectors again, or look at the text they were made from",
        )


@dataclass(frozen=True)
class EncoderInput:
    """The entities with a text: their rows among all, their ids, and the texts with their prefix."""

    rows: np.ndarray
    names: list[str]
    texts: list[str]


def encoder_input(prefix: str, side: str, ids: Sequence[str], texts: Sequence[str]) -> EncoderInput:
    """Put the prefix before each text; leave out blank texts.

    Raises DataError when all texts are blank.
    """
    rows = [row for row, text in enumerate(texts) if text and not text.isspace()]
    if not rows:
        raise DataError(
            f"all {len(texts)} texts of {side} are empty: there is nothing to encode",
            hint="look at the text source: a template of known columns never comes out empty",
        )
    return EncoderInput(np.asarray(rows), [ids[row] for row in rows], [prefix + texts[row] for row in rows])


def fill_with_mean(vectors: np.ndarray, rows: np.ndarray, count: int, unit_norm: bool) -> np.ndarray:
    """Put (k, D) vectors into `count` rows; the other rows get their mean, of unit norm if `unit_norm`.

    The mean is the least specific vector for an entity without one. Raises DataError when the mean is zero
    and `unit_norm` is set.
    """
    if len(rows) == count:
        return vectors
    mean = vectors.mean(axis=0, dtype=np.float64)
    if unit_norm:
        length = float(np.linalg.norm(mean))
        if length == 0:
            raise DataError(
                f"{count - len(rows)} of {count} entities have no vector, and the mean of the others is zero",
                hint="give them vectors or texts of their own",
            )
        mean /= length
    filled = np.empty((count, vectors.shape[1]), dtype=np.float32)
    filled[:] = mean
    filled[rows] = vectors
    return filled


Vectors = NDArray[np.float32]


def reduce_vectors(
    vectors: Vectors, fitted_on: Vectors, how: Reduction, ids: Sequence[str]
) -> tuple[Vectors, dict[str, Any]]:
    """Reduce (n, D) to (n, how.dimensions), unit norm; `fitted_on` (m, D) are the items' vectors.

    `pca` projects both sides on the directions in which the items vary most, without centring, so that dot
    products between users and items change only by what is cut off. Facts: `kept`, the share of squared
    length left before normalisation.

    Raises DataError when `how.dimensions` is no reduction, or when an entity (named by `ids`) becomes zero.
    """
    width = vectors.shape[1]
    if how.dimensions >= width:
        raise DataError(
            f"encoder.reduce: {how.dimensions} dimensions of {width} is no reduction",
            hint=f"use fewer than {width}, or leave reduce out",
        )
    if how.kind == "pca":
        reduced = vectors @ principal_directions(fitted_on, how.dimensions)
    else:
        reduced = vectors[:, : how.dimensions]
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    if not np.all(lengths > 0):
        first = ids[int(np.flatnonzero(lengths[:, 0] <= 0)[0])]
        raise DataError(
            f"encoder.reduce: the embedding of '{first}' has nothing left in {how.dimensions} dimensions",
            hint="keep more dimensions",
        )
    kept = float(np.mean(lengths[:, 0] ** 2 / np.einsum("nd,nd->n", vectors, vectors)))
    return (reduced / lengths).astype(np.float32), {"kept": round(kept, 4)}
