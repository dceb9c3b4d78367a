"""The leak audit of a split in time: no training interaction at or after the cut, each part in its window."""

from __future__ import annotations

import numpy as np

from grasp_bench.core.errors import LeakError
from grasp_bench.data.audit import REBUILD, audit_order, audit_parts
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import Split
from grasp_bench.data.temporal import Cuts


def audit_in_time(split: Split, sequences: Sequences, cuts: Cuts) -> int:
    """Check a split against the histories and the cuts it was made from.

    Returns the number of interactions audited. Raises LeakError naming user, item and time.
    """
    audit_order(sequences)
    audit_parts(split, sequences)
    # The parts are the histories in order, so their lengths say which row is in which of them.
    lengths = [np.bincount(users, minlength=split.num_users) for users in _users_of_parts(split)]
    place = np.arange(len(sequences.items)) - sequences.offsets[:-1][sequences.users]
    windows = ((-np.inf, cuts.valid_from), (cuts.valid_from, cuts.test_from), (cuts.test_from, np.inf))
    start = np.zeros(split.num_users, dtype=np.int64)
    for name, (begin, end), length in zip(("training", "validation", "test"), windows, lengths, strict=True):
        inside = (place >= start[sequences.users]) & (place < (start + length)[sequences.users])
        wrong = np.flatnonzero(inside & ((sequences.orders < begin) | (sequences.orders >= end)))
        if len(wrong):
            raise _outside(sequences, int(wrong[0]), name, begin, end)
        start += length
    _audit_targets(split)
    return len(sequences.items)


def _users_of_parts(split: Split) -> list[np.ndarray]:
    return [
        split.train_users,
        np.concatenate([split.valid_users, split.valid_rest.users]),
        np.concatenate([split.test_users, split.test_rest.users]),
    ]


def _audit_targets(split: Split) -> None:
    """One target for each user of a window, and a history for each target."""
    for name, users, rest in (
        ("validation", split.valid_users, split.valid_rest.users),
        ("test", split.test_users, split.test_rest.users),
    ):
        if np.any(np.diff(users) <= 0) or np.setdiff1d(rest, users).size:
            raise LeakError(f"{name} targets are not one a user of the window, ascending", mend=REBUILD)
        bare = users[split.train_lengths[users] == 0]
        if len(bare):
            raise LeakError(f"user number {bare[0]} has a {name} target and no training part", mend=REBUILD)


def _outside(sequences: Sequences, row: int, name: str, begin: float, end: float) -> LeakError:
    user = sequences.user_ids[int(sequences.users[row])]
    item = sequences.item_ids[int(sequences.items[row])]
    return LeakError(
        f"user '{user}', item '{item}': at {sequences.orders[row]} it is not in {name}, "
        f"which is from {begin:g} to before {end:g}",
        mend=REBUILD,
    )
