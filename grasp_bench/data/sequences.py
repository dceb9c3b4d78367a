"""Histories with entities as integers: what filtering leaves, before it is split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sequences:
    """All histories, one after the other, oldest interaction first.

    Users are numbered in the order in which they first appear in the file after filtering; items in
    the order in which they first appear when the histories are read user by user. `items` (R,) int32,
    `offsets` (num_users + 1,) int64, `orders` (R,) the value each row was ordered by.
    """

    user_ids: list[str]
    item_ids: list[str]
    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    orders: NDArray[np.int64] | NDArray[np.float64]

    @property
    def num_users(self) -> int:
        """Users with at least one interaction."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """Items with at least one interaction."""
        return len(self.item_ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions of each user, (num_users,) int64."""
        return np.diff(self.offsets)

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each row, (R,) int32."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), self.lengths)
