"""Head and tail of users and items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_bench.data.splits import Split, TrainPart
from grasp_bench.spec.dataset import Groups

PARETO_SHARE = 0.2

Bools = NDArray[np.bool_]
Counts = NDArray[np.integer[Any]]


def head_users(train_lengths: Counts, groups: Groups) -> Bools:
    """Head users, same shape as `train_lengths` (interactions of each user in training).

    With rule `threshold` a user is counted before the test item, as the paper does: training plus
    the one validation interaction that every evaluated user has.
    """
    if groups.rule == "pareto":
        return _top_fifth(train_lengths)
    assert groups.head_user_from is not None  # the spec demands it
    return np.asarray(train_lengths + 1 >= groups.head_user_from)


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
    everything = np.concatenate([split.train_items, split.valid_items, split.test_items])
    return np.bincount(everything, minlength=split.num_items)


def item_counts(split: Split, groups: Groups) -> Counts:
    """How often each item occurs in what `groups.count_on` names, (num_items,) int64."""
    return item_counts_in_training(split) if groups.count_on == "train" else item_counts_everywhere(split)


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
