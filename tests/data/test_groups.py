"""Head and tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_histories import sequences_of

from grasp_bench.data.groups import head_items, head_users, item_counts
from grasp_bench.data.splits import leave_one_out
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
