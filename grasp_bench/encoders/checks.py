"""What every embedding must satisfy before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grasp_bench.core.errors import DataError

NORM_TOLERANCE = 1e-3
BLOCK_ROWS = 65_536


def check_vectors(vectors: np.ndarray, ids: Sequence[str], unit_norm: bool) -> None:
    """Raise DataError naming the first entity whose vector is not finite, zero, or off unit norm."""
    if vectors.ndim != 2 or len(vectors) != len(ids) or vectors.shape[1] == 0:
        raise DataError(
            f"embeddings of shape {vectors.shape} for {len(ids)} entities",
            mend="give one vector, of at least one dimension, per entity",
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
            mend="make the vectors again, or look at the text they were made from",
        )
