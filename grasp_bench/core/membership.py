"""Sets of numbers as sorted arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def among(keys: NDArray[np.integer[Any]], ascending: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which keys are in a sorted array; np.isin would sort it again at every call."""
    if not len(ascending):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.asarray(ascending[place] == keys)
