"""k-core filters against plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.data.filters import iterated, single_pass

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60)
minimum = st.integers(1, 5)


def split(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def core_one_by_one(rows: list[tuple[int, int]], min_user: int, min_item: int) -> set[int]:
    """Drop one rare row after the other until nothing changes."""
    left = set(range(len(rows)))
    while True:
        users = Counter(rows[i][0] for i in left)
        items = Counter(rows[i][1] for i in left)
        rare = [i for i in sorted(left) if users[rows[i][0]] < min_user or items[rows[i][1]] < min_item]
        if not rare:
            return left
        left.remove(rare[0])


@given(pairs, minimum, minimum)
def test_iterated_is_the_core_that_dropping_one_by_one_gives(
    rows: list[tuple[int, int]], min_user: int, min_item: int
) -> None:
    users, items = split(rows)
    mask = iterated(users, items, min_user, min_item)
    assert set(np.flatnonzero(mask).tolist()) == core_one_by_one(rows, min_user, min_item)


@given(pairs, minimum, minimum)
def test_iterated_is_a_fixed_point(rows: list[tuple[int, int]], min_user: int, min_item: int) -> None:
    users, items = split(rows)
    mask = iterated(users, items, min_user, min_item)
    assert iterated(users[mask], items[mask], min_user, min_item).all()


@given(pairs, minimum, minimum)
def test_single_pass_counts_the_whole_file(rows: list[tuple[int, int]], min_user: int, min_item: int) -> None:
    users, items = split(rows)
    user_counts, item_counts = Counter(u for u, _ in rows), Counter(i for _, i in rows)
    expected = [user_counts[u] >= min_user and item_counts[i] >= min_item for u, i in rows]
    mask = single_pass(users, items, min_user, min_item)
    assert mask.tolist() == expected
    assert not np.any(iterated(users, items, min_user, min_item) & ~mask)


def test_a_chain_falls_row_by_row() -> None:
    """User k shares item k with user k + 1: taking away the end takes the whole chain away."""
    users = np.repeat(np.arange(50), 2)
    items = np.stack([np.arange(50), np.arange(1, 51)], axis=1).ravel()
    assert not iterated(users, items, 2, 2).any()
    assert single_pass(users, items, 2, 2).sum() == 98
