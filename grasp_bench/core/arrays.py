"""NumPy functions shared by packages that may not import each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def isin_sorted(keys: NDArray[np.integer[Any]], ascending: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Return which keys are in a sorted array; np.isin would sort it at every call."""
    if not len(ascending):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.asarray(ascending[place] == keys)


ROWS_AT_ONCE = 65_536  # converted to float64 in blocks


def principal_directions(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return orthonormal (D, count) directions of largest second moment, with fixed signs.

    For centred (n, D) vectors these are the principal components.
    """
    moments = np.zeros((vectors.shape[1], vectors.shape[1]))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[start : start + ROWS_AT_ONCE].astype(np.float64)
        moments += block.T @ block
    _, directions = np.linalg.eigh(moments)  # ascending
    largest = directions[:, ::-1][:, :count]
    signs = np.sign(largest[np.abs(largest).argmax(axis=0), np.arange(count)])
    return np.asarray(largest * signs, dtype=np.float32)
