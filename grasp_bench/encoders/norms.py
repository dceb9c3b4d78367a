"""Unit norm, in place."""

from __future__ import annotations

import numpy as np

BLOCK_ROWS = 65_536


def normalize(vectors: np.ndarray) -> None:
    """Scale the rows of (n, D) floats to unit norm; rows without one stay, for the check to find and name."""
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[start : start + BLOCK_ROWS]
        norms = np.linalg.norm(block, axis=1, keepdims=True)
        block /= np.where(np.isfinite(norms) & (norms > 0), norms, 1)
