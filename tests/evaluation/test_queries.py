from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.evaluation.queries import Queries, append_items


@given(st.lists(st.lists(st.integers(0, 9), min_size=0, max_size=5), min_size=1, max_size=6), st.data())
def test_append_items_puts_each_item_behind_its_user(sequences, data):
    users = data.draw(st.lists(st.integers(0, len(sequences) - 1), unique=True))
    offsets = torch.tensor([0, *[len(s) for s in sequences]]).cumsum(0)
    flat = torch.tensor([i for s in sequences for i in s], dtype=torch.int64)
    added = torch.arange(100, 100 + len(users))
    new_flat, new_offsets = append_items(flat, offsets, torch.tensor(users, dtype=torch.int64), added)
    expected = [[*s, 100 + users.index(u)] if u in users else s for u, s in enumerate(sequences)]
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
