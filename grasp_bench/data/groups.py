"""Group ranked users by head and tail, by repeated targets and by the step to the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.sequences import id_ranks
from grasp_bench.data.splits import Ints, Split, TrainPart
from grasp_bench.spec.dataset import Groups

PARETO_SHARE = 0.2

Bools = NDArray[np.bool_]
Counts = NDArray[np.integer[Any]]

NO_CATEGORY = -1


def head_users(split: Split, groups: Groups) -> Bools:
    """Mask of head users, (num_users,), by their interactions in training.

    The rule `threshold` counts all interactions before the test item, as the paper does.
    """
    if groups.rule == "pareto":
        return _top_fifth(split.train_lengths)
    assert groups.head_user_from is not None  # the spec demands it
    return np.asarray(np.diff(split.known()[1]) >= groups.head_user_from)


def head_items(counts: Counts, groups: Groups) -> Bools:
    """Mask of head items, of the shape of `counts` (see `item_counts`)."""
    if groups.rule == "pareto":
        return _top_fifth(counts)
    assert groups.head_item_from is not None  # the spec demands it
    return np.asarray(counts >= groups.head_item_from)


def item_counts_in_training(train: TrainPart) -> Counts:
    """Count each item's training interactions (`count_on: train`), (num_items,) int64."""
    return np.bincount(train.train_items, minlength=train.num_items)


def item_counts(split: Split, groups: Groups) -> Counts:
    """Count each item's interactions in the part that `count_on` names, (num_items,) int64."""
    if groups.count_on == "train":
        return item_counts_in_training(split)
    # Held-out interactions too, as in the paper.
    return np.bincount(split.whole_history()[0], minlength=split.num_items)


def group_members(
    split: Split, users: Ints, items: Ints, groups: Groups, item_ids: Sequence[str]
) -> dict[str, Bools]:
    """Masks (Q,) of the ranked users that belong to each group.

    `users` and `items` (Q,) are the test queries. A target is a repeat when the user's history before the
    test, with the validation item, holds it already.
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
    """Masks (Q,) by the step from the last known item to the target.

    The step is at one time or later (only where the split knows, and some are tied), ascends or descends by
    item id, and occurs in training or not. A target that repeats the last item neither ascends nor descends.
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
    """Mask of the most frequent fifth; entities of equal count stay together.

    The entities at the border share one count. All of them are in the head, or none, whichever brings the
    head nearer to a fifth (none if both are as near). If all counts are equal, the head is empty.
    """
    if not len(counts):
        return np.zeros(0, dtype=bool)
    wanted = PARETO_SHARE * len(counts)
    border = np.sort(counts)[::-1][max(int(np.ceil(wanted)) - 1, 0)]
    with_border, without = counts >= border, counts > border
    nearer = abs(int(with_border.sum()) - wanted) < abs(int(without.sum()) - wanted)
    return np.asarray(with_border if nearer else without)


def top_categories(train: TrainPart, item_codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The commonest category among each user's training items, (users,); NO_CATEGORY if no item has one.

    `item_codes` (items,) numbers the categories from 0; NO_CATEGORY marks items without one. Of equally
    common categories the lowest number counts.
    """
    favourites = np.full(train.num_users, NO_CATEGORY, dtype=np.int64)
    users = np.repeat(np.arange(train.num_users), np.diff(train.train_offsets))
    codes = item_codes[train.train_items]
    known = codes != NO_CATEGORY
    if not known.any():
        return favourites
    categories = int(item_codes.max()) + 1
    pairs, counts = np.unique(users[known] * categories + codes[known], return_counts=True)
    # Ascending by count, then descending by category: the last assignment to a user wins.
    order = np.lexsort((-pairs, counts))
    favourites[pairs[order] // categories] = pairs[order] % categories
    return favourites
