"""Users as they were: one more row for each training item, with what its user had seen by then.

Profiles of whole training histories name the very items that training predicts. Row `num_users + t`
here knows the history up to and including training token t and nothing later, so it may read token t and
predict token t + 1 (profile scope `prefix`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.splits import Ints, Offsets, TrainPart


def prefix_owners(train: TrainPart) -> NDArray[np.int64]:
    """The user of each row: everybody once, then the user of each training token, (n + T,)."""
    users = np.arange(train.num_users, dtype=np.int64)
    return np.concatenate([users, train.train_users.astype(np.int64)])


def prefix_histories(train: TrainPart) -> tuple[Ints, Offsets]:
    """Flat items and (n + T + 1,) offsets: whole training histories first, then every prefix of each."""
    tokens = np.arange(len(train.train_items))
    starts = train.train_offsets[train.train_users]
    lengths = tokens + 1 - starts
    ends = np.cumsum(lengths)
    rows = np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)
    offsets = np.concatenate([train.train_offsets, train.train_offsets[-1] + ends])
    return np.concatenate([train.train_items, train.train_items[rows]]), offsets


def prefix_names(user_ids: list[str], train: TrainPart) -> list[str]:
    """What errors call each row: the user, then `user (first k items)`."""
    tokens = np.arange(len(train.train_items))
    lengths = tokens + 1 - train.train_offsets[train.train_users]
    told = zip(train.train_users.tolist(), lengths.tolist(), strict=True)
    return [*user_ids, *(f"{user_ids[user]} (first {length} items)" for user, length in told)]
