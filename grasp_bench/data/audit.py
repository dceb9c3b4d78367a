"""The leak audit: proof that nothing held out is in what a model trains on.

An item may rightly be bought twice, so "the target is among the training items" is no proof of a leak.
What is audited are interactions: each of a user's history must be in exactly one part, and every training
one must come before validation, validation before test. Of splits in time, see `temporal_audit.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import LeakError
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import MIN_EVALUATED, Split

REBUILD = "the split was not made of this data by its protocol: delete the artefact and run again"


def audit(split: Split, sequences: Sequences) -> int:
    """Check a split against the histories it was made from.

    Returns the number of interactions audited. Raises LeakError naming user and item.
    """
    _audit_targets(split, sequences)
    audit_order(sequences)
    audit_parts(split, sequences)
    return len(sequences.items)


# Scopes that tell of training interactions only.
WITHIN_TRAINING = ("train", "prefix")


def audit_scope(name: str, scope: str, leaks: str = "refuse") -> None:
    """Refuse a source whose text or vectors were made from more than the training part, unless leaks
    are marked."""
    if scope not in WITHIN_TRAINING and leaks != "mark":
        raise LeakError(
            f"{name}: made from '{scope.replace('_', ' ')}', so held-out items can be read in it",
            mend="use a source made from the training part alone (scope: train), or say leaks: mark to "
            "have every figure made with it marked",
        )


def _audit_targets(split: Split, sequences: Sequences) -> None:
    """Exactly the users with enough history are evaluated, once in each part."""
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
            mend=REBUILD,
        )


def audit_order(sequences: Sequences) -> None:
    """LeakError unless each history is in order."""
    same_user = np.diff(sequences.users) == 0
    back = np.flatnonzero(same_user & (np.diff(sequences.orders) < 0))
    if len(back):
        raise _leak(sequences, int(back[0]) + 1, "happened before the interaction in front of it")


def audit_parts(split: Split, sequences: Sequences) -> None:
    """LeakError unless the parts, put together again, are the history: nothing twice, nothing moved."""
    items, offsets = split.whole_history()
    found, expected = np.diff(offsets), sequences.lengths
    if len(found) != len(expected):
        raise LeakError(f"the split has {len(found)} users, the data {len(expected)}", mend=REBUILD)
    differing = np.flatnonzero(found != expected)
    if len(differing):
        user = int(differing[0])
        targets = _targets_of(split, user)
        in_training = [item for item in targets if item in split.train_sequence(user)]
        item = sequences.item_ids[(in_training or targets or items[offsets[user] :])[0]]
        raise LeakError(
            f"user '{sequences.user_ids[user]}' has {expected[user]} interactions, but training, validation "
            f"and test together hold {found[user]}: item '{item}' is held out and trained on, or lost",
            mend=REBUILD,
        )
    moved = np.flatnonzero(items != sequences.items)
    if len(moved):
        raise _leak(sequences, int(moved[0]), "is not where the history has it")


def _targets_of(split: Split, user: int) -> list[int]:
    valid: NDArray[np.int32] = split.valid_items[split.valid_users == user]
    test: NDArray[np.int32] = split.test_items[split.test_users == user]
    return [*valid.tolist(), *test.tolist()]


def _leak(sequences: Sequences, row: int, what: str) -> LeakError:
    user = sequences.user_ids[int(sequences.users[row])]
    return LeakError(
        f"user '{user}', item '{sequences.item_ids[sequences.items[row]]}': {what}", mend=REBUILD
    )
