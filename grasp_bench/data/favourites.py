"""The category that a user buys most: as near as a user comes to having one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.splits import TrainPart

NONE = -1


def favourite_categories(train: TrainPart, item_codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The commonest code among each user's training items, (users,); NONE for users of items without one.

    `item_codes` (items,) numbers the categories from 0, NONE for items that have none. Of equally common
    categories the one with the lowest number.
    """
    favourites = np.full(train.num_users, NONE, dtype=np.int64)
    users = np.repeat(np.arange(train.num_users), np.diff(train.train_offsets))
    codes = item_codes[train.train_items]
    known = codes != NONE
    if not known.any():
        return favourites
    categories = int(item_codes.max()) + 1
    pairs, counts = np.unique(users[known] * categories + codes[known], return_counts=True)
    # Ascending by count and, where counts are equal, from high numbers to low: the last of a user stays.
    order = np.lexsort((-pairs, counts))
    favourites[pairs[order] // categories] = pairs[order] % categories
    return favourites
