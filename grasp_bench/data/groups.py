"""Groups of ranked users: head and tail of users and items, and what the step to the target is like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.id_order import id_ranks
from grasp_bench.data.splits import Ints, Split, TrainPart
from grasp_bench.spec.dataset import Groups

PARETO_SHARE = 0.2

Bools = NDArray[np.bool_]
Counts = NDArray[np.integer[Any]]


def head_users(split: Split, groups: Groups) -> Bools:
    """Head users, (num_users,): by their interactions in training.

    With rule `threshold` a user is counted before the test item, as the paper does.
    """
    if groups.rule == "pareto":
        return _top_fifth(split.train_lengths)
    assert groups.head_user_from is not None  # the spec demands it
    return np.asarray(np.diff(split.known()[1]) >= groups.head_user_from)


def head_items(counts: Counts, groups: Groups) -> Bools:
    """Head items, same shape as `counts` (see `item_counts`)."""
    if groups.rule == "pareto":
        return _top_fifth(counts)
    assert groups.head_item_from is not None  # the spec demands it
    return np.asarray(counts >= groups.head_item_from)


def item_counts_in_training(train: TrainPart) -> Counts:
    """How often each item occurs in training sequences (`count_on: train`), (num_items,) int64."""
    return np.bincount(train.train_items, minlength=train.num_items)


def item_counts_everywhere(split: Split) -> Counts:
    """The paper's way (`count_on: all`): held-out interactions count too, (num_items,) int64."""
    return np.bincount(split.whole_history()[0], minlength=split.num_items)


def item_counts(split: Split, groups: Groups) -> Counts:
    """How often each item occurs in what `groups.count_on` names, (num_items,) int64."""
    return item_counts_in_training(split) if groups.count_on == "train" else item_counts_everywhere(split)


def group_members(
    split: Split, users: Ints, items: Ints, groups: Groups, item_ids: Sequence[str]
) -> dict[str, Bools]:
    """Which of the ranked users belong to each group, (Q,) each.

    `users` and `items` (Q,) are the test queries. A target is a repeat when the user's known history,
    the validation item included, already holds it; `step_groups` are those of the step to it.
    """
    head_user = head_users(split, groups)[users]
    head_item = head_items(item_counts(split, groups), groups)[items]
    known_items, offsets = split.known()
    owners = np.repeat(np.arange(split.num_users), np.diff(offsets))
    repeat = np.isin(users.astype(np.int64) * split.num_items + items, owners * split.num_items + known_items)
    reported = np.ones(len(users), dtype=bool)
    if groups.first_user == "skipped":
        reported[:1] = False
    return {
        "overall": np.ones(len(users), dtype=bool),
        "head_user": head_user,
        "tail_user": ~head_user,
        "head_item": head_item & reported,
        "tail_item": ~head_item & reported,
        "repeat": repeat,
        "new": ~repeat,
        **step_groups(split, users, items, item_ids),
    }


def step_groups(split: Split, users: Ints, items: Ints, item_ids: Sequence[str]) -> dict[str, Bools]:
    """Groups by the step from the last known item to the target, (Q,) each.

    Is the target of the same time (only where the split tells, and some are)? Does its id lie above that of
    the item before? Is the step one that training has somewhere? A target that is the last item again
    neither ascends nor descends.
    """
    known, offsets = split.known()
    last = known[offsets[users.astype(np.int64) + 1] - 1]
    ranks = id_ranks(item_ids)
    before, after = split.train_steps
    trained = before.astype(np.int64) * split.num_items + after
    seen = np.isin(last.astype(np.int64) * split.num_items + items, trained)
    groups = {
        "ascending": ranks[items] > ranks[last],
        "descending": ranks[items] < ranks[last],
        "seen_transition": seen,
        "unseen_transition": ~seen,
    }
    if split.test_tied is None:
        return groups
    tied = np.zeros(split.num_users, dtype=bool)
    tied[split.test_users] = split.test_tied
    return {"same_time": tied[users], "later": ~tied[users], **groups}


def _top_fifth(counts: Counts) -> Bools:
    """The most frequent fifth, equals never parted.

    Many entities share the count at the border. They all go the same way: into the head or out of
    it, whichever brings the head nearer to a fifth (out of it when both are as near). Where all
    counts are equal nobody is more frequent than anybody, and the head is empty.
    """
    if not len(counts):
        return np.zeros(0, dtype=bool)
    wanted = PARETO_SHARE * len(counts)
    border = np.sort(counts)[::-1][max(int(np.ceil(wanted)) - 1, 0)]
    with_border, without = counts >= border, counts > border
    nearer = abs(int(with_border.sum()) - wanted) < abs(int(without.sum()) - wanted)
    return np.asarray(with_border if nearer else without)
