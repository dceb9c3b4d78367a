"""A fixed sample of users, the same wherever and in whatever order they are read."""

from __future__ import annotations

from hashlib import sha256

import polars as pl


def sampled_users(ids: pl.Series, count: int) -> pl.Series:
    """The `count` of distinct user ids whose SHA-256 comes first, all where there are fewer.

    No seed and no order of rows decides: everybody who asks for as many gets the same users, and a smaller
    sample is a part of a larger one.
    """
    distinct = ids.unique(maintain_order=True).to_list()
    chosen = sorted(distinct, key=lambda user: sha256(str(user).encode()).digest())[:count]
    return pl.Series(ids.name, chosen, dtype=ids.dtype)
