"""Reduce vectors to fewer dimensions: principal directions of the items, or the first columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.arrays import principal_directions
from grasp_bench.core.errors import DataError
from grasp_bench.spec.encoder import Reduction

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
