"""Parts of a split, and leave-one-out: a user's last interaction is the test target, the one before it
validation. The split in time is in `temporal.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.sequences import Sequences

MIN_EVALUATED = 3  # a shorter history leaves nothing to train on beside two held-out targets

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrainPart:
    """What training and early stopping may see.

    `train_items` (T,) int32 holds all training sequences one after the other, oldest first;
    `train_offsets` (num_users + 1,) int64 says where each begins. `valid_users`, `valid_items` (V,)
    int32 have one row per evaluated user, ascending by user. `train_tied` (T,), where equal times are one
    step (`time_ties: block`), says which training items stand at the step of the item before them.
    """

    num_users: int
    num_items: int
    train_items: Ints
    train_offsets: Offsets
    valid_users: Ints
    valid_items: Ints
    train_tied: Bools | None = field(default=None, kw_only=True)

    @property
    def train_steps(self) -> tuple[Ints, Ints]:
        """Items of training and those that stand directly after them, of no step in common, (S,) each."""
        users = self.train_users
        follows = users[:-1] == users[1:]
        if self.train_tied is not None:
            follows &= ~self.train_tied[1:]
        return self.train_items[:-1][follows], self.train_items[1:][follows]

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
class Part:
    """Some interactions: `users`, `items` (R,) int32, ascending by user, each user's oldest first."""

    users: Ints
    items: Ints


NOTHING = Part(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Split(TrainPart):
    """A `TrainPart`, the locked test targets, and what is left of the two windows.

    `test_users`, `test_items` (Q,) int32, ascending by user. A window of time may hold several
    interactions of a user, of which the first is the target: `valid_rest` are the others before test, and
    belong to the history that a test target is predicted from; `test_rest` are those behind the test
    target, which nobody is told. By leave-one-out there are none, unless equal times are one step.
    `test_tied` (Q,) says which test targets have the time of the item before them; None where no target has,
    or nobody knows.
    """

    test_users: Ints
    test_items: Ints
    valid_rest: Part = NOTHING
    test_rest: Part = NOTHING
    test_tied: Bools | None = field(default=None, kw_only=True)

    def known(self) -> tuple[Ints, Offsets]:
        """What precedes the test target of each user: flat items and (num_users + 1,) offsets."""
        return joined(self.num_users, *self._before_test())

    def whole_history(self) -> tuple[Ints, Offsets]:
        """Every item of each user, held-out ones last: flat items and (num_users + 1,) offsets."""
        test = Part(self.test_users, self.test_items)
        return joined(self.num_users, *self._before_test(), test, self.test_rest)

    def _before_test(self) -> tuple[Part, Part, Part]:
        train = Part(self.train_users, self.train_items)
        return train, Part(self.valid_users, self.valid_items), self.valid_rest


def joined(num_users: int, *parts: Part) -> tuple[Ints, Offsets]:
    """Parts one behind the other within each user: flat items and (num_users + 1,) offsets."""
    users = np.concatenate([part.users for part in parts])
    items = np.concatenate([part.items for part in parts])
    # Stable: parts stay in the order given within a user.
    order = np.argsort(users, kind="stable")
    lengths = np.bincount(users, minlength=num_users)
    return items[order], np.concatenate([[0], np.cumsum(lengths)])


def history_within(split: Split, scope: str) -> tuple[Ints, Offsets]:
    """Items and (num_users + 1,) offsets of the histories that a text of this scope may tell.

    `train`, `train_and_validation` or `all`; held-out items stand last.
    """
    if scope == "train":
        return split.train_items, split.train_offsets
    return split.whole_history() if scope == "all" else split.known()


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
    tied = sequences.tied[last]
    return Split(
        num_users=sequences.num_users,
        num_items=sequences.num_items,
        train_items=sequences.items[in_training],
        train_offsets=np.concatenate([[0], np.cumsum(train_lengths)]).astype(np.int64),
        valid_users=users,
        valid_items=sequences.items[last - 1],
        test_users=users.copy(),
        test_items=sequences.items[last],
        test_tied=tied if tied.any() else None,
    )
