"""Head and tail."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_histories import histories, sequences_of

from grasp_bench.data.groups import NO_CATEGORY as NONE
from grasp_bench.data.groups import head_items, head_users, item_counts, step_groups, top_categories
from grasp_bench.data.splits import TrainPart, leave_one_out
from grasp_bench.spec.dataset import Groups

counts = st.lists(st.integers(0, 6), max_size=60).map(lambda values: np.array(values, dtype=np.int64))


@given(counts)
def test_pareto_never_parts_equals_and_the_head_is_the_more_frequent(values: np.ndarray) -> None:
    head = head_items(values, Groups())
    assert head.dtype == bool
    assert head.shape == values.shape
    if head.any() and not head.all():
        assert values[head].min() > values[~head].max()


@given(counts)
def test_pareto_comes_as_near_to_a_fifth_as_equals_allow(values: np.ndarray) -> None:
    size = int(head_items(values, Groups()).sum())
    possible = [int((values > border).sum()) for border in range(-1, 8)]
    assert abs(size - 0.2 * len(values)) == min(abs(p - 0.2 * len(values)) for p in possible)


def test_pareto_without_ties_is_exactly_a_fifth() -> None:
    head = head_items(np.random.default_rng(0).permutation(100), Groups())
    assert head.sum() == 20


@pytest.mark.parametrize("values", [[], [3], [2, 2, 2, 2, 2]])
def test_pareto_has_no_head_where_all_are_equal(values: list[int]) -> None:
    assert not head_items(np.array(values, dtype=np.int64), Groups()).any()


def test_thresholds_count_users_before_the_test_item() -> None:
    groups = Groups(rule="threshold", head_user_from=3, head_item_from=4)
    split = leave_one_out(sequences_of([[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]))
    assert head_users(split, groups).tolist() == [False, True, True]
    assert head_items(np.array([3, 4]), groups).tolist() == [False, True]


def test_items_are_counted_in_training_or_everywhere() -> None:
    split = leave_one_out(sequences_of([[0, 0, 1, 2], [3, 2]], num_items=5))
    assert item_counts(split, Groups()).tolist() == [2, 0, 1, 1, 0]
    assert item_counts(split, Groups(count_on="all")).tolist() == [2, 1, 2, 1, 0]


@given(histories)
def test_steps_to_the_target_are_what_loops_find(lists: list[list[int]]) -> None:
    split = leave_one_out(sequences_of(lists))
    ids = [f"i{item}" for item in range(12)]
    found = step_groups(split, split.test_users, split.test_items, ids)
    evaluated = [history for history in lists if len(history) >= 3]
    trained = [history[:-2] if len(history) >= 3 else history for history in lists]
    steps = {pair for history in trained for pair in pairwise(history)}
    ends = [(history[-2], history[-1]) for history in evaluated]
    assert set(found) == {"ascending", "descending", "seen_transition", "unseen_transition"}
    assert found["ascending"].tolist() == [ids[a] < ids[b] for a, b in ends]
    assert found["descending"].tolist() == [ids[a] > ids[b] for a, b in ends]
    assert found["seen_transition"].tolist() == [end in steps for end in ends]
    assert found["unseen_transition"].tolist() == [end not in steps for end in ends]


def test_targets_of_the_same_time_are_grouped_where_the_split_tells() -> None:
    sequences = sequences_of([[0, 1, 2], [3, 4, 5], [6, 7]])
    tied = dataclasses.replace(sequences, orders=np.array([1, 5, 5, 1, 5, 9, 1, 2]))
    split = leave_one_out(tied)
    # Ranked users in another order than the split's.
    users, items = split.test_users[::-1].copy(), split.test_items[::-1].copy()
    found = step_groups(split, users, items, tied.item_ids)
    assert found["same_time"].tolist() == [False, True]
    assert found["later"].tolist() == [True, False]


def test_the_commonest_category_of_each_user() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 5, 30)
    lengths = rng.integers(1, 12, 50)
    items = rng.integers(0, 30, int(lengths.sum())).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    nobody = np.empty(0, dtype=np.int32)
    found = top_categories(TrainPart(50, 30, items, offsets, nobody, nobody), codes)
    for user in range(50):
        mine = Counter(int(codes[i]) for i in items[offsets[user] : offsets[user + 1]] if codes[i] != NONE)
        most = max(mine.values(), default=0)
        assert found[user] == min((code for code, count in mine.items() if count == most), default=NONE)


def test_no_item_has_a_category() -> None:
    nobody = np.empty(0, dtype=np.int32)
    train = TrainPart(2, 3, np.array([0, 1], dtype=np.int32), np.array([0, 1, 2]), nobody, nobody)
    assert top_categories(train, np.full(3, NONE)).tolist() == [NONE, NONE]
