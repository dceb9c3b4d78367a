"""Membership against Python's sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.arrays import isin_sorted

numbers = st.lists(st.integers(-5, 5), max_size=8)


@given(numbers, numbers)
def test_as_sets_say(keys: list[int], members: list[int]) -> None:
    found = isin_sorted(np.array(keys, dtype=np.int64), np.array(sorted(members), dtype=np.int64))
    assert found.tolist() == [key in set(members) for key in keys]
