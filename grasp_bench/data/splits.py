"""The parts of a split, and leave-one-out by interactions or by steps (`temporal.py` splits in time).

By interactions, a user's last one is the test target, the one before it validation. By steps
(`time_ties: block`), interactions of one time happen at once, and none predicts another:

    training | the step before the last | the last step     → time
             | validation, its rest     | test, its rest
"""

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
    """The part that training and early stopping may see.

    `train_items` (T,) int32 holds all training sequences in turn, oldest first; `train_offsets`
    (num_users + 1,) int64 says where each begins. `valid_users`, `valid_items` (V,) int32 have one row per
    evaluated user, ascending by user. `train_tied` (T,), used where equal times are one step, marks training
    items that belong to the step of the item before them.
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
        """Training items and their direct successors in another step, (S,) each."""
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
    """Interactions: `users`, `items` (R,) int32, ascending by user, each user's oldest first."""

    users: Ints
    items: Ints


NOTHING = Part(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Split(TrainPart):
    """A `TrainPart`, the locked test targets, and the rest of the two windows.

    `test_users`, `test_items` (Q,) int32, ascending by user. A window may hold several interactions of a
    user; the first is the target. `valid_rest` are the others of the validation window, which belong to the
    history of a test target; `test_rest` are those after the test target, which no model sees. Leave-one-out
    has neither, unless equal times are one step. `test_tied` (Q,) marks test targets that have the time of
    the item before them; None if none has, or times are unknown.
    """

    test_users: Ints
    test_items: Ints
    valid_rest: Part = NOTHING
    test_rest: Part = NOTHING
    test_tied: Bools | None = field(default=None, kw_only=True)

    def known(self) -> tuple[Ints, Offsets]:
        """All items before each user's test target: flat items and (num_users + 1,) offsets."""
        return joined(self.num_users, *self._before_test())

    def whole_history(self) -> tuple[Ints, Offsets]:
        """Every item of each user, held-out ones last: flat items and (num_users + 1,) offsets."""
        test = Part(self.test_users, self.test_items)
        return joined(self.num_users, *self._before_test(), test, self.test_rest)

    def _before_test(self) -> tuple[Part, Part, Part]:
        train = Part(self.train_users, self.train_items)
        return train, Part(self.valid_users, self.valid_items), self.valid_rest


def joined(num_users: int, *parts: Part) -> tuple[Ints, Offsets]:
    """Join parts within each user, in the order given: flat items and (num_users + 1,) offsets."""
    users = np.concatenate([part.users for part in parts])
    items = np.concatenate([part.items for part in parts])
    # A stable sort keeps the order of the parts within a user.
    order = np.argsort(users, kind="stable")
    lengths = np.bincount(users, minlength=num_users)
    return items[order], np.concatenate([[0], np.cumsum(lengths)])


def history_within(split: Split, scope: str) -> tuple[Ints, Offsets]:
    """Histories that a text of this scope may use: flat items and (num_users + 1,) offsets.

    `scope` is `train`, `train_and_validation` or `all`; held-out items come last.
    """
    if scope == "train":
        return split.train_items, split.train_offsets
    return split.whole_history() if scope == "all" else split.known()


def split_by_windows(
    sequences: Sequences, in_valid: Bools, in_test: Bools,
    train_tied: Bools | None = None, test_tied: Bools | None = None,
) -> Split:  # fmt: skip
    """Split rows by masks (R,); the first row of each user in a window is the target, the others its rest."""
    in_training = ~(in_valid | in_test)
    (valid, valid_rest), (test, test_rest) = (_window(sequences, each) for each in (in_valid, in_test))
    lengths = np.bincount(sequences.users[in_training], minlength=sequences.num_users)
    return Split(
        sequences.num_users, sequences.num_items, sequences.items[in_training],
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        valid.users, valid.items, test.users, test.items, valid_rest, test_rest,
        train_tied=train_tied, test_tied=test_tied,
    )  # fmt: skip


def _window(sequences: Sequences, inside: Bools) -> tuple[Part, Part]:
    """Divide a window into the first interaction of each user and the others."""
    users, items = sequences.users[inside], sequences.items[inside]
    first = np.diff(users, prepend=-1) != 0
    rest = NOTHING if first.all() else Part(users[~first], items[~first])
    return Part(users[first], items[first]), rest


def leave_one_out(sequences: Sequences) -> Split:
    """Split every history of at least three interactions; shorter ones train and are never evaluated."""
    users, tied = sequences.users, sequences.tied
    to_end = sequences.offsets[users + 1] - np.arange(len(users))
    evaluated = (sequences.lengths >= MIN_EVALUATED)[users]
    in_test = evaluated & (to_end == 1)
    test_tied = tied[in_test] if tied[in_test].any() else None
    return split_by_windows(sequences, evaluated & (to_end == 2), in_test, test_tied=test_tied)


def leave_one_step_out(sequences: Sequences) -> Split:
    """Hold out one item of the last step and one of the step before; users of fewer than three steps train.

    The order within a step must be random already, since the first item of a step is the target. The others
    of the last step stay unused; those of the step before are known before test.
    """
    users, tied = sequences.users, sequences.tied
    steps = np.cumsum(~tied)
    first, last = steps[sequences.offsets[:-1]], steps[sequences.offsets[1:] - 1]
    evaluated = np.asarray(last - first + 1 >= MIN_EVALUATED)[users]
    to_end: NDArray[np.int64] = last[users] - steps
    in_valid, in_test = evaluated & (to_end == 1), evaluated & (to_end == 0)
    return split_by_windows(sequences, in_valid, in_test, train_tied=tied[~(in_valid | in_test)])
