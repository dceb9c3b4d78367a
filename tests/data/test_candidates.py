"""Stored candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_histories import NUM_ITEMS, histories, sequences_of
from scipy import stats

from grasp_bench.core.errors import DataError
from grasp_bench.data.candidates import draw
from grasp_bench.data.splits import leave_one_out


def drawn(lists: list[list[int]], negatives: int, seed: int, num_items: int = NUM_ITEMS) -> np.ndarray:
    split = leave_one_out(sequences_of(lists, num_items))
    items, offsets = split.whole_history()
    users = np.arange(len(lists), dtype=np.int32)
    return draw(users, items, offsets, num_items, negatives, seed)


@given(histories, st.data(), st.integers(0, 2**31 - 1))
def test_negatives_are_distinct_in_range_and_outside_the_history(
    lists: list[list[int]], data: st.DataObject, seed: int
) -> None:
    most = NUM_ITEMS - max(len(set(history)) for history in lists)
    negatives = data.draw(st.integers(1, most))
    table = drawn(lists, negatives, seed)
    assert table.shape == (len(lists), negatives)
    assert table.dtype == np.int32
    assert table.min() >= 0
    assert table.max() < NUM_ITEMS
    for row, history in zip(table.tolist(), lists, strict=True):
        assert len(set(row)) == negatives
        assert not set(row) & set(history)
    np.testing.assert_array_equal(table, drawn(lists, negatives, seed))


def test_asking_for_all_that_is_left_gives_all_that_is_left() -> None:
    (row,) = drawn([[0, 3, 3, 11]], 9, seed=1)
    assert sorted(row.tolist()) == [1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_seeds_differ() -> None:
    lists = [[0, 1, 2]] * 50
    assert not np.array_equal(drawn(lists, 5, seed=1), drawn(lists, 5, seed=2))


def test_users_in_any_order_and_number() -> None:
    split = leave_one_out(sequences_of([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))
    items, offsets = split.whole_history()
    table = draw(np.array([2, 0], dtype=np.int32), items, offsets, NUM_ITEMS, 9, 0)
    assert sorted(table[0].tolist()) == [0, 1, 2, 3, 4, 5, 9, 10, 11]
    assert sorted(table[1].tolist()) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert draw(np.array([], dtype=np.int32), items, offsets, NUM_ITEMS, 3, 0).shape == (0, 3)


def test_every_set_and_every_place_is_as_likely() -> None:
    """Chi-square over ordered pairs from the four items outside the history: 12 outcomes."""
    table = drawn([[1, 4]] * 12_000, 2, seed=7, num_items=6)
    outcomes, found = np.unique(table[:, 0] * 6 + table[:, 1], return_counts=True)
    assert len(outcomes) == 12
    assert stats.chisquare(found).pvalue > 1e-4


def test_every_item_is_as_likely_in_a_large_catalogue() -> None:
    table = drawn([[0, 250, 499]] * 4000, 100, seed=3, num_items=500)
    found = np.bincount(table.ravel(), minlength=500)
    assert found[[0, 250, 499]].sum() == 0
    # Draws without replacement vary less than independent ones: the left tail is the natural side.
    assert stats.chisquare(np.delete(found, [0, 250, 499])).pvalue > 1e-4


def test_a_catalogue_too_small_names_the_user_and_what_would_do() -> None:
    split = leave_one_out(sequences_of([[0, 1, 2], list(range(10))]))
    items, offsets = split.whole_history()
    with pytest.raises(DataError, match="user 'bob' leaves 2 items to draw 3 negatives") as caught:
        draw(split.test_users, items, offsets, NUM_ITEMS, 3, 0, ["alice", "bob"])
    assert "at most 2" in str(caught.value)


def test_a_user_who_has_touched_everything_can_only_be_left_out_or_given_more_items() -> None:
    with pytest.raises(DataError, match="leaves 0 items to draw 1 negatives") as caught:
        drawn([list(range(12))], 1, seed=0)
    assert "leave such users out" in str(caught.value)
    assert "lower dataset.min_item" in str(caught.value)
    assert "full catalogue" not in str(caught.value)  # candidates are always drawn
