"""Leave-one-out by steps (`time_ties: block`).

Interactions of one time happen at once, and none predicts another.

    training | the step before the last | the last step     → time
             | validation, its rest     | test, its rest

Within training, `train_tied` says what stands at one step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import LeakError
from grasp_bench.data.audit import REBUILD, audit_order, audit_parts
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import MIN_EVALUATED, Part, Split


def leave_one_step_out(sequences: Sequences) -> Split:
    """Hold out one item of the last step and one of the step before; users of fewer than three steps train.

    The order within a step must be random already: the first item of a step is the one that is drawn. The
    others of the last step are told to nobody, those of the step before are known before test.
    """
    users, items, tied = sequences.users, sequences.items, sequences.tied
    steps = np.cumsum(~tied)
    first, last = steps[sequences.offsets[:-1]], steps[sequences.offsets[1:] - 1]
    evaluated = np.asarray(last - first + 1 >= MIN_EVALUATED)[users]
    to_end: NDArray[np.int64] = last[users] - steps
    in_test, in_valid = evaluated & (to_end == 0), evaluated & (to_end == 1)
    training = ~(in_test | in_valid)
    valid, valid_rest, test, test_rest = (
        Part(users[rows], items[rows]) for part in (in_valid, in_test) for rows in (part & ~tied, part & tied)
    )
    lengths = np.bincount(users[training], minlength=sequences.num_users)
    return Split(
        num_users=sequences.num_users,
        num_items=sequences.num_items,
        train_items=items[training],
        train_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        valid_users=valid.users,
        valid_items=valid.items,
        test_users=test.users,
        test_items=test.items,
        valid_rest=valid_rest,
        test_rest=test_rest,
        train_tied=tied[training],
    )


def audit_steps(split: Split, sequences: Sequences) -> int:
    """Check a split by steps against the histories it was made from.

    Returns the number of interactions audited. Raises LeakError naming the user.
    """
    audit_order(sequences)
    audit_parts(split, sequences)
    times = np.unique(np.stack([sequences.users, sequences.orders]), axis=1)[0].astype(np.int64)
    evaluated = np.flatnonzero(np.bincount(times, minlength=split.num_users) >= MIN_EVALUATED)
    for name, found in (("validation", split.valid_users), ("test", split.test_users)):
        if not np.array_equal(found, evaluated):
            wrong = int(np.setxor1d(found, evaluated)[0]) if len(np.setxor1d(found, evaluated)) else 0
            raise _leak(sequences, wrong, f"{name} targets are not one for each user of three steps or more")
    # The parts are the histories in order, so that their lengths say where each begins.
    orders, begin = sequences.orders, sequences.offsets[evaluated]
    valid = begin + split.train_lengths[evaluated]
    test = valid + 1 + np.bincount(split.valid_rest.users, minlength=split.num_users)[evaluated]
    end = sequences.offsets[evaluated + 1]
    parted = (orders[valid - 1] < orders[valid]) & (orders[test - 1] < orders[test])
    whole = (orders[valid] == orders[test - 1]) & (orders[test] == orders[end - 1])
    for right, what in ((parted, "a step lies in two parts"), (whole, "a held-out part is not one step")):
        if not right.all():
            raise _leak(sequences, int(evaluated[np.flatnonzero(~right)[0]]), what)
    _audit_ties(split, sequences)
    return len(sequences.items)


def _audit_ties(split: Split, sequences: Sequences) -> None:
    """What training says of its steps must be what the times say."""
    place = np.arange(len(split.train_items)) - split.train_offsets[split.train_users]
    rows = sequences.offsets[split.train_users] + place
    expected = (place > 0) & (sequences.orders[rows] == sequences.orders[rows - 1])
    found = split.train_tied if split.train_tied is not None else np.zeros(len(rows), dtype=bool)
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        raise _leak(sequences, int(split.train_users[wrong[0]]), "training parts or joins steps")


def _leak(sequences: Sequences, user: int, what: str) -> LeakError:
    return LeakError(f"user '{sequences.user_ids[user]}': {what}", mend=REBUILD)
