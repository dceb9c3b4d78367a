"""k-core filters against plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.data.cleaning import iterated, sampled_users, single_pass
from grasp_bench.data.prepare import prepare
from grasp_bench.data.sequences import Sequences
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate

pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60)
minimum = st.integers(1, 5)

IDS = pl.Series("user", [f"u{k}" for k in range(200)] * 3)


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


def test_a_sample_depends_on_ids_alone_and_smaller_ones_are_parts_of_larger():
    ten = set(sampled_users(IDS, 10).to_list())
    assert len(ten) == 10
    assert set(sampled_users(IDS.reverse(), 10).to_list()) == ten
    assert ten < set(sampled_users(IDS, 50).to_list())


def test_a_sample_larger_than_the_data_is_everybody():
    assert set(sampled_users(IDS, 10_000).to_list()) == set(IDS.to_list())


def history(sequences: Sequences, user: int) -> list[str]:
    items = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]]
    return [sequences.item_ids[item] for item in items]


@pytest.mark.parametrize("count", [5, 40])
def test_a_dataset_keeps_so_many_users_with_their_whole_histories_and_says_so(count):
    whole, sample = prepare(Dataset(source="demo")), prepare(Dataset(source="demo", sample_users=count))
    assert sample.sequences.num_users == count
    named = dict(zip(whole.sequences.user_ids, range(whole.sequences.num_users), strict=True))
    for row, user in enumerate(sample.sequences.user_ids):
        assert history(sample.sequences, row) == history(whole.sequences, named[user])
    assert locate(Dataset(source="demo", sample_users=count)).name == f"demo (sample of {count} users)"
