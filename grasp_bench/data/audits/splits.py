"""Check that no held-out interaction is among the training interactions of a split.

An item may rightly be bought twice, so a target among the training items proves no leak. The audit looks at
interactions instead: each must be in exactly one part, training before validation before test.
"""

from __future__ import annotations

import numpy as np

from grasp_bench.core.errors import LeakError
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import MIN_EVALUATED, Split
from grasp_bench.data.temporal import Cuts

REBUILD = "the split was not made of this data by its protocol: delete the artefact and run again"


def audit(split: Split, sequences: Sequences) -> int:
    """Check a leave-one-out split against the histories it was made from.

    Returns the number of interactions audited. Raises LeakError naming user and item.
    """
    _audit_targets(split, sequences)
    audit_order(sequences)
    audit_parts(split, sequences)
    return len(sequences.items)


def _audit_targets(split: Split, sequences: Sequences) -> None:
    """Check that exactly the users with enough history have one target in each part."""
    expected = np.flatnonzero(sequences.lengths >= MIN_EVALUATED)
    for part, users in (("validation", split.valid_users), ("test", split.test_users)):
        if np.array_equal(users, expected):
            continue
        times = np.bincount(users, minlength=sequences.num_users)
        wrong = times != (sequences.lengths >= MIN_EVALUATED)
        culprit = int(np.flatnonzero(wrong)[0]) if wrong.any() else int(users[0])
        raise LeakError(
            f"user '{sequences.user_ids[culprit]}' with {sequences.lengths[culprit]} interactions has "
            f"{times[culprit]} {part} targets, or targets are not in order of users",
            hint=REBUILD,
        )


def audit_order(sequences: Sequences) -> None:
    """Raise LeakError unless each history is in order."""
    same_user = np.diff(sequences.users) == 0
    back = np.flatnonzero(same_user & (np.diff(sequences.orders) < 0))
    if len(back):
        raise _leak(sequences, int(back[0]) + 1, "happened before the interaction in front of it")


def audit_parts(split: Split, sequences: Sequences) -> None:
    """Raise LeakError unless the joined parts equal the history: nothing twice, nothing moved."""
    items, offsets = split.whole_history()
    found, expected = np.diff(offsets), sequences.lengths
    if len(found) != len(expected):
        raise LeakError(f"the split has {len(found)} users, the data {len(expected)}", hint=REBUILD)
    differing = np.flatnonzero(found != expected)
    if len(differing):
        user = int(differing[0])
        valid = split.valid_items[split.valid_users == user]
        targets = [*valid.tolist(), *split.test_items[split.test_users == user].tolist()]
        in_training = [item for item in targets if item in split.train_sequence(user)]
        item = sequences.item_ids[(in_training or targets or items[offsets[user] :])[0]]
        raise LeakError(
            f"user '{sequences.user_ids[user]}' has {expected[user]} interactions, but training, validation "
            f"and test together hold {found[user]}: item '{item}' is held out and trained on, or lost",
            hint=REBUILD,
        )
    moved = np.flatnonzero(items != sequences.items)
    if len(moved):
        raise _leak(sequences, int(moved[0]), "is not where the history has it")


def _leak(sequences: Sequences, row: int, what: str) -> LeakError:
    user = sequences.user_ids[int(sequences.users[row])]
    return LeakError(
        f"user '{user}', item '{sequences.item_ids[sequences.items[row]]}': {what}", hint=REBUILD
    )


def audit_in_time(split: Split, sequences: Sequences, cuts: Cuts) -> int:
    """Check a split in time: each part lies in its window. Returns and raises as `audit`."""
    audit_order(sequences)
    audit_parts(split, sequences)
    # The parts are the histories in order, so their lengths say which row is in which of them.
    users_of_parts = (
        split.train_users,
        np.concatenate([split.valid_users, split.valid_rest.users]),
        np.concatenate([split.test_users, split.test_rest.users]),
    )
    lengths = [np.bincount(users, minlength=split.num_users) for users in users_of_parts]
    place = np.arange(len(sequences.items)) - sequences.offsets[:-1][sequences.users]
    windows = ((-np.inf, cuts.valid_from), (cuts.valid_from, cuts.test_from), (cuts.test_from, np.inf))
    start = np.zeros(split.num_users, dtype=np.int64)
    for name, (begin, end), length in zip(("training", "validation", "test"), windows, lengths, strict=True):
        inside = (place >= start[sequences.users]) & (place < (start + length)[sequences.users])
        wrong = np.flatnonzero(inside & ((sequences.orders < begin) | (sequences.orders >= end)))
        if len(wrong):
            row = int(wrong[0])
            where = f"at {sequences.orders[row]} it is not in {name}"
            raise _leak(sequences, row, f"{where}, which is from {begin:g} to before {end:g}")
        start += length
    _audit_window_targets(split)
    return len(sequences.items)


def _audit_window_targets(split: Split) -> None:
    """Check that each user of a window has one target, and each target a history."""
    for name, users, rest in (
        ("validation", split.valid_users, split.valid_rest.users),
        ("test", split.test_users, split.test_rest.users),
    ):
        if np.any(np.diff(users) <= 0) or np.setdiff1d(rest, users).size:
            raise LeakError(f"{name} targets are not one a user of the window, ascending", hint=REBUILD)
        bare = users[split.train_lengths[users] == 0]
        if len(bare):
            raise LeakError(f"user number {bare[0]} has a {name} target and no training part", hint=REBUILD)


def audit_steps(split: Split, sequences: Sequences) -> int:
    """Check a split by steps: each held-out part is one whole step. Returns and raises as `audit`."""
    audit_order(sequences)
    audit_parts(split, sequences)
    times = np.unique(np.stack([sequences.users, sequences.orders]), axis=1)[0].astype(np.int64)
    evaluated = np.flatnonzero(np.bincount(times, minlength=split.num_users) >= MIN_EVALUATED)
    for name, found in (("validation", split.valid_users), ("test", split.test_users)):
        if not np.array_equal(found, evaluated):
            wrong = int(next(iter(np.setxor1d(found, evaluated)), 0))
            what = f"{name} targets are not one for each user of three steps or more"
            raise _step_leak(sequences, wrong, what)
    # The parts are the histories in order, so that their lengths say where each begins.
    orders, begin = sequences.orders, sequences.offsets[evaluated]
    valid = begin + split.train_lengths[evaluated]
    test = valid + 1 + np.bincount(split.valid_rest.users, minlength=split.num_users)[evaluated]
    end = sequences.offsets[evaluated + 1]
    parted = (orders[valid - 1] < orders[valid]) & (orders[test - 1] < orders[test])
    whole = (orders[valid] == orders[test - 1]) & (orders[test] == orders[end - 1])
    for right, what in ((parted, "a step lies in two parts"), (whole, "a held-out part is not one step")):
        if not right.all():
            raise _step_leak(sequences, int(evaluated[np.flatnonzero(~right)[0]]), what)
    _audit_ties(split, sequences)
    return len(sequences.items)


def _audit_ties(split: Split, sequences: Sequences) -> None:
    """Check that `train_tied` agrees with the times."""
    place = np.arange(len(split.train_items)) - split.train_offsets[split.train_users]
    rows = sequences.offsets[split.train_users] + place
    expected = (place > 0) & (sequences.orders[rows] == sequences.orders[rows - 1])
    found = split.train_tied if split.train_tied is not None else np.zeros(len(rows), dtype=bool)
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        raise _step_leak(sequences, int(split.train_users[wrong[0]]), "training parts or joins steps")


def _step_leak(sequences: Sequences, user: int, what: str) -> LeakError:
    return LeakError(f"user '{sequences.user_ids[user]}': {what}", hint=REBUILD)
