"""Vectors as searchers need them: finite, none zero, of unit norm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grasp_bench.core.errors import DataError

BLOCK_BYTES = 64 * 2**20


def unit_vectors(vectors: np.ndarray, ids: Sequence[str] | None = None) -> np.ndarray:
    """Scale rows of (n, D) to unit norm, float32, as a copy.

    hnswlib takes NaN and zero vectors without a word, so both are a DataError here that names the
    first such entity (`ids`, else its number).
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
                mend="encode again, or correct the precomputed vectors",
            )
        block /= norms[:, None].astype(np.float32)
    return units
