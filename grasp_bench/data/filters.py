"""Filter interactions by k-core, and users by a fixed sample."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def iterated(users: Codes, items: Codes, min_user: int, min_item: int) -> Mask:
    """Drop rare users and items until each user has `min_user` rows and each item `min_item`.

    The fixed point is the largest such set of rows, in whatever order rows are dropped (Seidman 1983).
    `users`, `items` (R,) are codes from 0; returns a mask (R,) of the rows that stay.
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
    """Count and cut once, as LLM-ESR and the paper filter Beauty; some counts may end below the minimum."""
    return _frequent(users, min_user) & _frequent(items, min_item)


def _frequent(codes: Codes, minimum: int) -> Mask:
    return np.asarray(np.bincount(codes)[codes] >= minimum) if len(codes) else np.zeros(0, dtype=bool)


FILTERS = {"iterated": iterated, "single_pass": single_pass}


def sampled_users(ids: pl.Series, count: int) -> pl.Series:
    """Choose the `count` distinct user ids with the lowest SHA-256, or all if there are fewer.

    The sample depends on neither a seed nor the order of rows, and a smaller one is part of a larger one.
    """
    distinct = ids.unique(maintain_order=True).to_list()
    chosen = sorted(distinct, key=lambda user: sha256(str(user).encode()).digest())[:count]
    return pl.Series(ids.name, chosen, dtype=ids.dtype)
