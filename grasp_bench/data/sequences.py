"""All histories after filtering, with users and items as integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_TIMES = ("position", "file")


@dataclass(frozen=True, eq=False)
class Sequences:
    """All histories in turn, oldest interaction first.

    Users are numbered by first appearance in the filtered file; items by first appearance when the histories
    are read user by user, before any shuffling. `items` (R,) int32, `offsets` (num_users + 1,) int64,
    `orders` (R,) the value that each row was ordered by.
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
    def tied(self) -> NDArray[np.bool_]:
        """Mask (R,) of rows with the order value of the same user's row before."""
        same = (np.diff(self.users) == 0) & (np.diff(self.orders) == 0)
        return np.concatenate([[False], same])[: len(self.items)]

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each row, (R,) int32."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), self.lengths)


def has_only_positions(sequences: Sequences, order: str) -> bool:
    """True when the column `order` holds no times but counts each user's interactions from 0 or 1."""
    places = np.arange(len(sequences.items)) - sequences.offsets[:-1][sequences.users]
    return order in NO_TIMES or any(np.array_equal(sequences.orders, places + start) for start in (0, 1))
