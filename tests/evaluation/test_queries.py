from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.evaluation.ranker import Queries, append_items


@given(st.lists(st.lists(st.integers(0, 9), min_size=0, max_size=5), min_size=1, max_size=6), st.data())
def test_append_items_puts_each_item_behind_its_user_in_the_order_given(sequences, data):
    users = data.draw(st.lists(st.integers(0, len(sequences) - 1), max_size=8))
    offsets = torch.tensor([0, *[len(s) for s in sequences]]).cumsum(0)
    flat = torch.tensor([i for s in sequences for i in s], dtype=torch.int64)
    added = torch.arange(100, 100 + len(users))
    new_flat, new_offsets = append_items(flat, offsets, torch.tensor(users, dtype=torch.int64), added)
    behind = {
        u: [100 + place for place, user in enumerate(users) if user == u] for u in range(len(sequences))
    }
    expected = [[*s, *behind[u]] for u, s in enumerate(sequences)]
    found = [new_flat[new_offsets[u] : new_offsets[u + 1]].tolist() for u in range(len(sequences))]
    assert found == expected


def test_a_target_without_history_is_refused():
    one, nothing = torch.tensor([0]), torch.empty(0, dtype=torch.int64)
    with pytest.raises(DataError, match="no history"):
        Queries(one, one, torch.zeros(1, 3, dtype=torch.int64), nothing, torch.tensor([0, 0]))


def test_candidates_of_another_split_are_refused():
    one = torch.tensor([0])
    with pytest.raises(DataError, match="do not fit"):
        Queries(one, one, torch.zeros(2, 3, dtype=torch.int64), torch.tensor([1]), torch.tensor([0, 1]))


def test_redrawn_negatives_are_of_the_pool_distinct_and_by_the_generator():
    pool = torch.stack([torch.randperm(50)[:20] for _ in range(7)])
    users = torch.arange(7)
    queries = Queries(users, users, pool, torch.arange(7), torch.arange(8))
    first, again, other = (queries.redrawn(6, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.negatives_QK, again.negatives_QK)
    assert not torch.equal(first.negatives_QK, other.negatives_QK)
    for row, drawn in zip(pool.tolist(), first.negatives_QK.tolist(), strict=True):
        assert len(set(drawn)) == 6
        assert set(drawn) <= set(row)
    counts = torch.zeros(50)
    for seed in range(400):
        counts[queries.redrawn(6, torch.Generator().manual_seed(seed)).negatives_QK[0]] += 1
    # Each of the 20 in 6 of 20 draws: 120 of 400, with a standard deviation of 9.
    assert (counts[pool[0]] - 120).abs().max() < 45
