"""k-core filters over integer-coded interactions; both return a mask of the rows that stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def iterated(users: Codes, items: Codes, min_user: int, min_item: int) -> Mask:
    """Drop rare users and items until every user that is left has `min_user` rows and every item `min_item`.

    The fixed point is the largest such set of rows, whatever the order of dropping (Seidman 1983).
    `users`, `items` (R,) are codes from 0; returns (R,) bool.
    """
    staying = np.arange(len(users))
    while True:
        enough = _frequent(users[staying], min_user) & _frequent(items[staying], min_item)
        if enough.all():
            break
        staying = staying[enough]
    mask = np.zeros(len(users), dtype=bool)
    mask[staying] = True
    return mask


def single_pass(users: Codes, items: Codes, min_user: int, min_item: int) -> Mask:
    """Count over all rows once and cut once: afterwards some users and items may be below the minimum.

    This is how LLM-ESR, and so the paper, filters Beauty.
    """
    return _frequent(users, min_user) & _frequent(items, min_item)


def _frequent(codes: Codes, minimum: int) -> Mask:
    return np.asarray(np.bincount(codes)[codes] >= minimum) if len(codes) else np.zeros(0, dtype=bool)


FILTERS = {"iterated": iterated, "single_pass": single_pass}
