"""Leave-one-out: the last interaction of a user is the test target, the one before it validation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.sequences import Sequences

MIN_EVALUATED = 3  # a shorter history leaves nothing to train on beside two held-out targets

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainPart:
    """What training and early stopping may see.

    `train_items` (T,) int32 holds all training sequences one after the other, oldest first;
    `train_offsets` (num_users + 1,) int64 says where each begins. `valid_users`, `valid_items` (V,)
    int32 have one row per evaluated user, ascending by user.
    """

    num_users: int
    num_items: int
    train_items: Ints
    train_offsets: Offsets
    valid_users: Ints
    valid_items: Ints

    @property
    def train_lengths(self) -> NDArray[np.int64]:
        """Interactions of each user in training, (num_users,) int64."""
        return np.diff(self.train_offsets)

    @property
    def train_users(self) -> Ints:
        """The user of each row of `train_items`, (T,) int32."""
        return np.repeat(np.arange(self.num_users, dtype=np.int32), self.train_lengths)

    def train_sequence(self, user: int) -> Ints:
        """One user's training items, oldest first."""
        return self.train_items[self.train_offsets[user] : self.train_offsets[user + 1]]


@dataclass(frozen=True, eq=False)
class Split(TrainPart):
    """A `TrainPart` and the locked test targets, (V,) int32 each, ascending by user."""

    test_users: Ints
    test_items: Ints

    def whole_history(self) -> tuple[Ints, Offsets]:
        """Every item of each user, held-out ones last: flat items and (num_users + 1,) offsets."""
        users = np.concatenate([self.train_users, self.valid_users, self.test_users])
        items = np.concatenate([self.train_items, self.valid_items, self.test_items])
        # Stable: parts stay in the order train, validation, test within a user.
        order = np.argsort(users, kind="stable")
        lengths = np.bincount(users, minlength=self.num_users)
        return items[order], np.concatenate([[0], np.cumsum(lengths)])


def history_within(split: Split, scope: str) -> tuple[Ints, Offsets]:
    """Items and (num_users + 1,) offsets of the histories that a text of this scope may tell.

    `train`, `train_and_validation` or `all`; held-out items stand last.
    """
    if scope == "train":
        return split.train_items, split.train_offsets
    if scope == "all":
        return split.whole_history()
    nothing = np.empty(0, dtype=np.int32)
    return replace(split, test_users=nothing, test_items=nothing).whole_history()


def leave_one_out(sequences: Sequences) -> Split:
    """Split every history of at least three interactions; shorter ones train and are never evaluated."""
    lengths = sequences.lengths
    evaluated = np.flatnonzero(lengths >= MIN_EVALUATED)
    last = sequences.offsets[evaluated + 1] - 1
    in_training = np.ones(len(sequences.items), dtype=bool)
    in_training[last] = False
    in_training[last - 1] = False
    train_lengths = lengths.copy()
    train_lengths[evaluated] -= 2
    users = evaluated.astype(np.int32)
    return Split(
        num_users=sequences.num_users,
        num_items=sequences.num_items,
        train_items=sequences.items[in_training],
        train_offsets=np.concatenate([[0], np.cumsum(train_lengths)]).astype(np.int64),
        valid_users=users,
        valid_items=sequences.items[last - 1],
        test_users=users.copy(),
        test_items=sequences.items[last],
    )
