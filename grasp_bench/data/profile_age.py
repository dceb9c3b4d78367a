"""Histories as they were earlier: without the latest interactions, or as prefixes of training sequences.

A profile of the whole training history names the items that training predicts. With profile scope `prefix`
there is one more row for each training item: row `num_users + t` knows the history up to and including token
t and nothing later, so it may read token t and predict token t + 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.splits import Ints, Offsets, TrainPart


def without_latest(items: Ints, offsets: Offsets, stale: int) -> tuple[Ints, Offsets]:
    """Remove the latest `stale` items of each history, oldest first: flat items and (n + 1,) offsets.

    The oldest interaction always stays, since a first profile is made as soon as there is one. An empty
    history stays empty.
    """
    kept = _kept(offsets, stale)
    lengths = np.diff(offsets)
    place = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    return items[place < np.repeat(kept, lengths)], np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)


def staleness_facts(offsets: Offsets, stale: int) -> dict[str, int]:
    """Count the interactions left out, and the users whose oldest one stayed though it is younger."""
    lengths = np.diff(offsets)
    return {
        "interactions": stale,
        "left_out": int((lengths - _kept(offsets, stale)).sum()),
        "oldest_kept": int(((lengths > 0) & (lengths <= stale)).sum()),
    }


def remade_at(offsets: Offsets, stale: int) -> NDArray[np.bool_]:
    """Mask (T,) of the interactions at which a profile is made that may be at most `stale` interactions old.

    These are the first of each user and every (stale + 1)-th after it; with 0, all.
    """
    lengths = np.diff(offsets)
    place = np.arange(int(lengths.sum())) - np.repeat(offsets[:-1] - offsets[0], lengths)
    made: NDArray[np.bool_] = place % (stale + 1) == 0
    return made


def _kept(offsets: Offsets, stale: int) -> NDArray[np.int64]:
    lengths = np.diff(offsets)
    kept: NDArray[np.int64] = np.maximum(lengths - stale, np.minimum(lengths, 1))
    return kept


def prefix_owners(train: TrainPart) -> NDArray[np.int64]:
    """The user of each row: all users once, then the user of each training token, (n + T,)."""
    users = np.arange(train.num_users, dtype=np.int64)
    return np.concatenate([users, train.train_users.astype(np.int64)])


def prefix_histories(train: TrainPart) -> tuple[Ints, Offsets]:
    """Whole training histories, then every prefix of each: flat items and (n + T + 1,) offsets."""
    tokens = np.arange(len(train.train_items))
    starts = train.train_offsets[train.train_users]
    lengths = tokens + 1 - starts
    ends = np.cumsum(lengths)
    rows = np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)
    offsets = np.concatenate([train.train_offsets, train.train_offsets[-1] + ends])
    return np.concatenate([train.train_items, train.train_items[rows]]), offsets


def prefix_names(user_ids: list[str], train: TrainPart) -> list[str]:
    """Names of the rows for errors: the users, then `user (first k items)`."""
    tokens = np.arange(len(train.train_items))
    lengths = tokens + 1 - train.train_offsets[train.train_users]
    prefixes = zip(train.train_users.tolist(), lengths.tolist(), strict=True)
    return [*user_ids, *(f"{user_ids[user]} (first {length} items)" for user, length in prefixes)]
